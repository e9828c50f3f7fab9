import type { PublishBody, PublishReply } from '../../http/api.ts';
import type { Context } from '../context.ts';
import { parseJob } from '../ids.ts';
import { plural } from '../output/text.ts';

export async function run(
  context: Context,
  args: readonly string[],
  options: { giveUp?: boolean },
): Promise<undefined> {
  const client = context.client();
  const body: PublishBody = { giveUp: options.giveUp === true };
  for (const job of args.map(parseJob)) {
    // Twice does no harm.
    const reply = await client.post<PublishReply>(`/v1/jobs/${job}/publish`, body, true);
    context.output.note(`${reply.job}: ${describe(reply)}`);
  }
}

function describe({ job, to, tasks, giveUp }: PublishReply): string {
  if (tasks === 0) return `nothing waits to be put to ${to} any more.`;
  const what = `the outputs of ${plural(tasks, 'task')}`;
  return giveUp
    ? `${what} are put to ${to} no more; a file that is on its way may still arrive. "clobi outputs ${job} --to DIR" brings all.`
    : `${what} are put to ${to} now. "clobi job show ${job}" tells how many are there.`;
}
