import type { Context } from '../context.ts';
import { readJobFiles } from '../job-files.ts';
import { plural } from '../output/text.ts';

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const jobs = await readJobFiles(args, undefined);
  for (const file of args) {
    const own = jobs.filter((job) => job.source === file);
    const tasks = own.reduce((sum, job) => sum + job.submission.spec.tasks.count, 0);
    context.output.note(`${file}: right; ${plural(own.length, 'job')}, ${plural(tasks, 'task')}.`);
  }
}
