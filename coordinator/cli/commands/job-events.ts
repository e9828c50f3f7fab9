import { createInterface } from 'node:readline';
import type { JobEvent } from '../../http/api.ts';
import { WATCH_PATIENCE_MS, type Context } from '../context.ts';
import { DETACHED } from '../exit.ts';
import { parseJob } from '../ids.ts';
import { eventList } from '../views.ts';

interface Options {
  follow?: boolean;
  after?: number;
}

export async function run(context: Context, args: readonly string[], options: Options): Promise<number> {
  const job = parseJob(args[0] ?? '');
  const path = `/v1/jobs/${job}/events`;
  if (options.follow !== true) {
    const { events } = await context.client().get<{ events: JobEvent[] }>(path, { after: options.after });
    await context.output.list(events, eventList);
    return 0;
  }
  await context.output.list(followEvents(context, path, options.after), eventList);
  if (!context.interrupted.aborted) return 0;
  context.output.note(`Detached. The job goes on; "clobi job events -f ${job}" comes back to it.`);
  return DETACHED;
}

async function* followEvents(
  context: Context,
  path: string,
  after: number | undefined,
): AsyncGenerator<JobEvent[]> {
  const query = { after, follow: 1 };
  const signal = context.interrupted;
  try {
    const response = await context.client(WATCH_PATIENCE_MS).open({ method: 'GET', path, query, signal });
    for await (const line of createInterface({ input: response })) {
      if (line !== '') yield [JSON.parse(line) as JobEvent];
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
