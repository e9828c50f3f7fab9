import { WATCH_PATIENCE_MS, type Context } from '../context.ts';
import { parseJob } from '../ids.ts';
import { waitForJobs } from '../wait.ts';

export async function run(
  context: Context,
  args: readonly string[],
  options: { timeout?: number },
): Promise<number> {
  const client = context.client(WATCH_PATIENCE_MS);
  return waitForJobs(context, args.map(parseJob), {
    client,
    ...(options.timeout !== undefined && { timeoutMs: options.timeout }),
  });
}
