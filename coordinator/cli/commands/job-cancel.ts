import type { CancelBody, JobView } from '../../http/api.ts';
import type { Context } from '../context.ts';
import { parseJob } from '../ids.ts';
import { plural } from '../output/text.ts';

interface Options {
  tasks?: number[];
  reason?: string;
}

export async function run(context: Context, args: readonly string[], options: Options): Promise<undefined> {
  const jobs = args.map(parseJob);
  const client = context.client();
  const body: CancelBody = {
    ...(options.tasks && { tasks: options.tasks }),
    ...(options.reason && { reason: options.reason }),
  };
  for (const job of jobs) {
    // Cancelling twice does no harm.
    // `last` may mean another job at the next call.
    const { id } = await client.get<JobView>(`/v1/jobs/${job}`);
    const { cancelled } = await client.post<{ cancelled: number }>(`/v1/jobs/${id}/cancel`, body, true);
    context.output.note(
      `${id}: ${plural(cancelled, 'task')} cancelled.${cancelled === 0 ? ' Nothing of it was open.' : ''}`,
    );
  }
}
