import type { Context } from '../context.ts';
import { parseJob } from '../ids.ts';
import { taskPages } from '../paging.ts';
import { taskList } from '../views.ts';

export async function run(
  context: Context,
  args: readonly string[],
  options: { state?: string; limit?: number },
): Promise<undefined> {
  const pages = taskPages(context.client(), parseJob(args[0] ?? ''), { state: options.state }, options.limit);
  await context.output.list(pages, taskList(Date.now()));
}
