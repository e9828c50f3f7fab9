import { WATCH_PATIENCE_MS, type Context } from '../context.ts';
import { parseJob } from '../ids.ts';
import { watchJobs } from '../watch.ts';

export async function run(context: Context, args: readonly string[]): Promise<number> {
  return watchJobs(context, args.map(parseJob), { client: context.client(WATCH_PATIENCE_MS), live: true });
}
