import type { CancelBody } from '../../http/api.ts';
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
    const { cancelled } = await client.post<{ cancelled: number }>(`/v1/jobs/${job}/cancel`, body, true);
    context.output.note(
      `${job}: ${plural(cancelled, 'task')} cancelled.${cancelled === 0 ? ' Nothing of it was open.' : ''}`,
    );
  }
}
