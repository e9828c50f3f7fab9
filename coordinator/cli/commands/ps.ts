import type { JobView, PoolView } from '../../http/api.ts';
import type { Client } from '../client.ts';
import type { Context } from '../context.ts';
import { isJobOver } from '../exit.ts';
import { jobPages } from '../paging.ts';
import { formatTime } from '../output/text.ts';
import { jobList } from '../views.ts';

interface Options {
  all?: boolean;
  state?: string;
  label?: string;
  name?: string;
  limit: number;
}

export async function run(context: Context, _args: readonly string[], options: Options): Promise<undefined> {
  const jobs: JobView[] = [];
  const client = context.client();
  const query = { state: options.state, label: options.label, name: options.name };
  for await (const page of jobPages(client, query, options.limit)) jobs.push(...page);
  const asked = options.all === true || Object.values(query).some((value) => value !== undefined);
  const open = jobs.filter((job) => !isJobOver(job.state));
  await context.output.list(asked || open.length === 0 ? jobs : open, jobList(Date.now()));
  await tellDarkPools(context, client);
}

/** Said beside the jobs: their tasks may wait for a pool that cannot be reached. */
async function tellDarkPools(context: Context, client: Client): Promise<void> {
  const { pools } = await client.get<{ pools: PoolView[] }>('/v1/pools');
  for (const { pool, health } of pools) {
    if (!health.dark) continue;
    const since = health.since === null ? '' : ` since ${formatTime(health.since)}`;
    context.output.warn(`pool ${pool} cannot be reached${since}: ${health.why ?? 'no answer'}`);
  }
}
