import type { GiveUpReply } from '../../http/api.ts';
import type { Context } from '../context.ts';
import { plural } from '../output/text.ts';

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const client = context.client();
  for (const pool of args) {
    const path = `/v1/pools/${encodeURIComponent(pool)}/give-up`;
    const { units } = await client.post<GiveUpReply>(path, {}, true);
    context.output.note(
      `${pool} is given up: ${plural(units, 'unit')} taken back. Tasks with a loss left run elsewhere, the others are lost.`,
    );
  }
}
