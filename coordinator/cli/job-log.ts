import { pause } from '../../shared/clock.ts';
import { isTerminal, type TaskState } from '../../shared/task-state.ts';
import type { JobView, TaskView } from '../http/api.ts';
import type { Client } from './client.ts';
import { isJobOver } from './exit.ts';
import { LineSplitter, type LogLine, type LogStream } from './log-lines.ts';
import { taskPages } from './paging.ts';
import { openLog } from './task-log.ts';

/** Which logs of a job, and where its lines go. */
export interface JobLogOptions {
  client: Client;
  job: string;
  streams: readonly LogStream[];
  only: (task: TaskView) => boolean;
  print: (lines: readonly LogLine[]) => Promise<void>;
  signal?: AbortSignal;
}

const TASKS_AHEAD = 4;
const POLL_MS = 500;

/** Everything there is, task after task. The next tasks' logs are asked for while one is printed. */
export async function printJobLogs(options: JobLogOptions): Promise<void> {
  const opened: { task: TaskView; logs: Promise<TaskLog[]> }[] = [];
  const printFirst = async (): Promise<void> => {
    for (const log of (await opened.shift()?.logs) ?? []) await log.printNew();
  };
  for await (const page of taskPages(options.client, options.job)) {
    for (const task of page.filter((one) => hasLog(one.state) && options.only(one))) {
      const logs = Promise.all(
        options.streams.map((stream) => TaskLog.open({ index: task.index, stream }, options)),
      );
      // Awaited when its turn comes; until then a failure is nobody's.
      logs.catch(() => undefined);
      opened.push({ task, logs });
      if (opened.length > TASKS_AHEAD) await printFirst();
    }
  }
  while (opened.length > 0) await printFirst();
}

/**
 * Prints what is there and what comes, until the job is over. Tasks are looked at in passes: those that
 * run or have ended and are not printed to their end. Passes begin at the first task that may still print.
 */
export async function followJobLogs(options: JobLogOptions): Promise<void> {
  const { client, job, signal } = options;
  await client.post(`/v1/jobs/${job}/follow`, { on: true }, true);
  try {
    const follower = new JobFollower(options);
    for (;;) {
      signal?.throwIfAborted();
      const view = await client.get<JobView>(`/v1/jobs/${job}`, {}, signal);
      await follower.pass();
      if (isJobOver(view.state)) return;
      await pause(POLL_MS, signal);
    }
  } finally {
    await client.post(`/v1/jobs/${job}/follow`, { on: false }, true).catch(() => undefined);
  }
}

const hasLog = (state: TaskState): boolean => isTerminal(state) || state === 'running' || state === 'backoff';

class JobFollower {
  readonly #options: JobLogOptions;
  readonly #open = new Map<string, TaskLog>();
  readonly #finished = new Set<number>();
  /** Every task before this one is printed to its end. */
  #first = 0;

  constructor(options: JobLogOptions) {
    this.#options = options;
  }

  async pass(): Promise<void> {
    const { client, job } = this.#options;
    const query = this.#first === 0 ? {} : { after: this.#first - 1 };
    for await (const page of taskPages(client, job, query)) {
      for (const task of page)
        if (hasLog(task.state) && !this.#finished.has(task.index)) await this.#look(task);
      // Tasks begin about in order: a page of none begun ends the pass.
      if (page.every((task) => task.state === 'ready' || task.state === 'blocked')) break;
    }
    while (this.#finished.delete(this.#first)) this.#first += 1;
  }

  async #look(task: TaskView): Promise<void> {
    let complete = isTerminal(task.state);
    for (const stream of this.#options.only(task) ? this.#options.streams : []) {
      // Each attempt prints anew.
      const key = `${task.index} ${stream} ${task.attempt ?? ''}`;
      const log = this.#open.get(key) ?? new TaskLog({ index: task.index, stream }, this.#options);
      this.#open.set(key, log);
      complete = (await log.printNew()) && complete;
      if (complete) this.#open.delete(key);
    }
    if (complete) this.#finished.add(task.index);
  }
}

type Opened = Awaited<ReturnType<typeof openLog>>;

/** Prints one stream of one task from where it stopped the last time. */
class TaskLog {
  readonly #at: { index: number; stream: LogStream };
  readonly #options: JobLogOptions;
  readonly #splitter = new LineSplitter();
  #position = 0;
  #opened: { log: Opened } | undefined;

  constructor(at: { index: number; stream: LogStream }, options: JobLogOptions) {
    this.#at = at;
    this.#options = options;
  }

  static async open(at: { index: number; stream: LogStream }, options: JobLogOptions): Promise<TaskLog> {
    const log = new TaskLog(at, options);
    log.#opened = { log: await log.#request() };
    return log;
  }

  /** True when nothing will follow. */
  async printNew(): Promise<boolean> {
    const log = this.#opened === undefined ? await this.#request() : this.#opened.log;
    const openedAhead = this.#opened !== undefined;
    this.#opened = undefined;
    for await (const chunk of log?.bytes ?? []) {
      this.#position += chunk.length;
      await this.#print(this.#splitter.push(chunk));
    }
    const complete = log?.complete ?? true;
    if (complete || openedAhead) await this.#print(this.#splitter.end());
    return complete;
  }

  #request(): Promise<Opened> {
    return openLog(
      this.#options.client,
      { job: this.#options.job, ...this.#at },
      this.#position,
      this.#options.signal,
    );
  }

  #print(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return Promise.resolve();
    return this.#options.print(
      lines.map((line) => ({ task: this.#at.index, stream: this.#at.stream, line })),
    );
  }
}
