import type { JobView } from '../../http/api.ts';
import type { Context } from '../context.ts';
import { parseJob } from '../ids.ts';

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const client = context.client();
  for (const job of args.map(parseJob)) {
    const view = await client.post<JobView>(`/v1/jobs/${job}/release`);
    context.output.note(`${view.id} may start. "clobi watch ${view.id}" follows it.`);
  }
}
