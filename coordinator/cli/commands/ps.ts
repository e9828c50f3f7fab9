import type { JobView } from '../../http/api.ts';
import type { Context } from '../context.ts';
import { isJobOver } from '../exit.ts';
import { jobPages } from '../paging.ts';
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
}
