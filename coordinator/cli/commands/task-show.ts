import type { TaskView } from '../../http/api.ts';
import type { Context } from '../context.ts';
import { parseTask } from '../ids.ts';
import { taskRecord } from '../views.ts';

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const { job, index } = parseTask(args[0] ?? '');
  const task = await context.client().get<TaskView>(`/v1/jobs/${job}/tasks/${index}`);
  await context.output.record(task, taskRecord(Date.now()));
}
