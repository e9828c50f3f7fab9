import type { Context } from '../context.ts';
import { orderPools } from '../pool-orders.ts';

export const run = (context: Context, args: readonly string[]): Promise<undefined> =>
  orderPools(context, args, 'drain');
