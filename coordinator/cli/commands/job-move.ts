import { ClobiError } from '../../../shared/errors.ts';
import type { MoveBody, MoveReply } from '../../http/api.ts';
import type { Context } from '../context.ts';
import { parseJob } from '../ids.ts';
import { plural } from '../output/text.ts';

interface Options {
  to?: string;
  anywhere?: boolean;
  pending?: boolean;
}

export async function run(context: Context, args: readonly string[], options: Options): Promise<undefined> {
  if ((options.to === undefined) === (options.anywhere !== true))
    throw new ClobiError('USAGE', 'Say where to: either --to POOL or --anywhere.');
  const client = context.client();
  const body: MoveBody = { to: options.to ?? null, pending: options.pending === true };
  for (const job of args.map(parseJob)) {
    // Moving twice does no harm.
    const reply = await client.post<MoveReply>(`/v1/jobs/${job}/move`, body, true);
    const where =
      reply.to === null ? 'runs wherever its placement allows' : `goes to ${reply.to} and no other pool`;
    const back =
      reply.units === 0
        ? ''
        : `; ${plural(reply.tasks, 'task')} in ${plural(reply.units, 'unit')} that wait elsewhere are asked back`;
    context.output.note(`${reply.job}: what has not begun ${where}${back}.`);
  }
}
