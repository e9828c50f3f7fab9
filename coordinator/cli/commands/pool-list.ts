import type { PoolView } from '../../http/api.ts';
import type { Context } from '../context.ts';
import { poolList } from '../views.ts';

export async function run(context: Context): Promise<undefined> {
  const { pools } = await context.client().get<{ pools: PoolView[] }>('/v1/pools');
  await context.output.list(pools, poolList);
}
