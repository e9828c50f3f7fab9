import type { JobView } from '../../http/api.ts';
import { WATCH_PATIENCE_MS, type Context } from '../context.ts';
import { DETACHED } from '../exit.ts';
import { parseJobOrTask } from '../ids.ts';
import { followJobLogs, type JobLogOptions, printJobLogs } from '../job-log.ts';
import { formatLogLines } from '../log-lines.ts';
import { chooseStreams } from './task-logs.ts';

interface Options {
  follow?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  failed?: boolean;
  prefix: boolean;
}

export async function run(context: Context, args: readonly string[], options: Options): Promise<number> {
  const address = parseJobOrTask(args[0] ?? '');
  if (address.index !== undefined) {
    const taskLogs = await import('./task-logs.ts');
    return taskLogs.run(context, args, options);
  }
  const client = context.client(WATCH_PATIENCE_MS);
  const job = await client.get<JobView>(`/v1/jobs/${address.job}`);
  const width = String(job.tasks - 1).length;
  const log: JobLogOptions = {
    client,
    job: job.id,
    streams: chooseStreams(options),
    only: (task) => options.failed !== true || task.state === 'failed' || task.state === 'lost',
    print: (lines) =>
      context.output.write(formatLogLines(lines, context.output, { width, prefix: options.prefix })),
  };
  if (options.follow !== true) {
    await printJobLogs(log);
    return 0;
  }
  const signal = context.interrupted;
  try {
    await followJobLogs({ ...log, signal });
    return 0;
  } catch (error) {
    if (!signal.aborted) throw error;
    context.output.note(`Detached. The job goes on; "clobi job logs -f ${job.id}" comes back to it.`);
    return DETACHED;
  }
}
