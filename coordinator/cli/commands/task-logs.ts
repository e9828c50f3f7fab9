import { pause } from '../../../shared/clock.ts';
import { isTerminal } from '../../../shared/task-state.ts';
import type { TaskView } from '../../http/api.ts';
import type { Client } from '../client.ts';
import { WATCH_PATIENCE_MS, type Context } from '../context.ts';
import { DETACHED } from '../exit.ts';
import { parseTask, type TaskAddress } from '../ids.ts';
import type { LogStream } from '../log-lines.ts';
import { escapeLines } from '../output/escape.ts';
import type { Output } from '../output/output.ts';
import { openLog } from '../task-log.ts';

interface Options {
  follow?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  attempt?: string;
}

const POLL_MS = 500;

export async function run(context: Context, args: readonly string[], options: Options): Promise<number> {
  const address = parseTask(args[0] ?? '');
  const client = context.client(WATCH_PATIENCE_MS);
  const streams = chooseStreams(options);
  // `last` may mean another job at the next call.
  const task = await client.get<TaskView>(`/v1/jobs/${address.job}/tasks/${address.index}`);
  const at: At = { job: task.job, index: task.index, attempt: options.attempt };
  const readers = streams.map((stream) => new StreamReader(client, { ...at, stream }, context.output));
  if (options.follow !== true) {
    for (const reader of readers) await reader.printNew();
    return 0;
  }
  const signal = context.interrupted;
  try {
    await follow(client, { task: at, readers, signal });
    return 0;
  } catch (error) {
    if (!signal.aborted) throw error;
    context.output.note(`Detached. The task goes on; "clobi task logs -f ${task.id}" comes back to it.`);
    return DETACHED;
  }
}

/** Both, unless one is asked for. */
export const chooseStreams = (options: { stdout?: boolean; stderr?: boolean }): readonly LogStream[] => {
  const wanted = (['stdout', 'stderr'] as const).filter((stream) => options[stream] === true);
  return wanted.length === 0 ? ['stdout', 'stderr'] : wanted;
};

type At = TaskAddress & { attempt?: string | undefined };

async function follow(
  client: Client,
  at: { task: TaskAddress; readers: readonly StreamReader[]; signal: AbortSignal },
): Promise<void> {
  const { job, index } = at.task;
  await client.post(`/v1/jobs/${job}/follow`, { on: true }, true);
  try {
    for (;;) {
      at.signal.throwIfAborted();
      const task = await client.get<TaskView>(`/v1/jobs/${job}/tasks/${index}`, {}, at.signal);
      const complete: boolean[] = [];
      for (const reader of at.readers) complete.push(await reader.printNew(task.attempt));
      if (isTerminal(task.state) && complete.every(Boolean)) return;
      await pause(POLL_MS, at.signal);
    }
  } finally {
    await client.post(`/v1/jobs/${job}/follow`, { on: false }, true).catch(() => undefined);
  }
}

class StreamReader {
  readonly #client: Client;
  readonly #at: At & { stream: LogStream };
  readonly #output: Output;
  #position = 0;
  #attempt: string | null | undefined;

  constructor(client: Client, at: At & { stream: LogStream }, output: Output) {
    this.#client = client;
    this.#at = at;
    this.#output = output;
  }

  /** True when nothing will follow. Another attempt prints from its beginning. */
  async printNew(attempt?: string | null): Promise<boolean> {
    if (attempt !== this.#attempt) this.#position = 0;
    this.#attempt = attempt;
    const log = await openLog(this.#client, this.#at, this.#position);
    const terminal = this.#output.streams.stdout.isTTY === true;
    const decoder = new TextDecoder();
    for await (const chunk of log?.bytes ?? []) {
      this.#position += chunk.length;
      await this.#output.write(terminal ? escapeLines(decoder.decode(chunk, { stream: true })) : chunk);
    }
    return log?.complete ?? true;
  }
}
