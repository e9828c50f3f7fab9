import { randomUUID } from 'node:crypto';
import type { JobView, RetryBody, SubmitReply } from '../../http/api.ts';
import { ClobiError } from '../../../shared/errors.ts';
import { WATCH_PATIENCE_MS, type Context } from '../context.ts';
import { parseJob } from '../ids.ts';
import { plural } from '../output/text.ts';
import { printSubmitted } from '../submit.ts';
import { watchJobs } from '../watch.ts';

interface Options {
  failed?: boolean;
  tasks?: number[];
  memory?: number;
  cpus?: number;
  watch?: boolean;
}

export async function run(context: Context, args: readonly string[], options: Options): Promise<number> {
  const job = parseJob(args[0] ?? '');
  if (options.failed === true && options.tasks !== undefined) {
    throw new ClobiError('USAGE', '--failed and --tasks exclude each other: give one of them.');
  }
  const client = context.client();
  // `last` may mean another job at the next call.
  const { id, name } = await client.get<JobView>(`/v1/jobs/${job}`);
  const reply = await client.post<SubmitReply>(`/v1/jobs/${id}/retry`, retryBody(options), true);
  await printSubmitted(context.output, [{ ...reply, name }]);
  context.output.note(
    `${plural(reply.tasks, 'task')} again, as job ${reply.job}. "clobi watch ${reply.job}" follows it.`,
  );
  if (options.watch !== true) return 0;
  return watchJobs(context, [reply.job], { client: context.client(WATCH_PATIENCE_MS), live: true });
}

function retryBody(options: Options): RetryBody {
  const resources = {
    ...(options.memory !== undefined && { memoryBytes: options.memory }),
    ...(options.cpus !== undefined && { cpus: options.cpus }),
  };
  return {
    select: options.tasks ?? 'failed',
    ...(Object.keys(resources).length > 0 && { resources }),
    idempotencyKey: randomUUID(),
  };
}
