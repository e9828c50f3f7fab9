import type { PoolView, TaskView } from '../../http/api.ts';
import type { Client } from '../client.ts';
import type { ListView } from '../output/output.ts';
import { formatCount } from '../output/text.ts';
import { taskPages } from '../paging.ts';

/** What one pool did of a job. */
export interface PoolShare {
  pool: string;
  provider: string;
  tasks: number;
  /** A few of them, by index. */
  indices: number[];
}

const MOST_INDICES = 12;

/** The pools by the number of tasks that ran there; pools without any are in it, too. */
export async function sharesOf(client: Client, job: string): Promise<PoolShare[]> {
  const { pools } = await client.get<{ pools: PoolView[] }>('/v1/pools');
  const shares = new Map(
    pools.map(({ pool, provider }) => [pool, { pool, provider, tasks: 0, indices: [] as number[] }]),
  );
  for await (const tasks of taskPages(client, job, {})) for (const task of tasks) count(shares, task);
  return [...shares.values()].sort((a, b) => b.tasks - a.tasks);
}

function count(shares: ReadonlyMap<string, PoolShare>, task: TaskView): void {
  const share = task.pool === null ? undefined : shares.get(task.pool);
  if (share === undefined) return;
  share.tasks += 1;
  if (share.indices.length < MOST_INDICES) share.indices.push(task.index);
}

export const shareList: ListView<PoolShare> = {
  name: ({ pool }) => pool,
  columns: [
    { title: 'POOL', text: ({ pool }) => pool },
    {
      title: 'PROVIDER',
      text: ({ provider }) => (provider === 'local' ? provider : `${provider} (emulated)`),
    },
    { title: 'TASKS', text: ({ tasks }) => formatCount(tasks), align: 'right' },
    {
      title: 'WHICH',
      text: ({ indices, tasks }) => `${indices.join(' ')}${tasks > indices.length ? ' …' : ''}` || '-',
    },
  ],
};
