import PQueue from 'p-queue';
import type { Logger } from 'pino';
import type { Clock } from '../../shared/clock.ts';
import { messageOf } from '../../shared/errors.ts';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

/** Why something has not been done yet. */
export interface Failure {
  message: string;
  tries: number;
  since: number;
  nextTryAt: number;
}

/**
 * Things to be done once each, some at a time, whoever and however many ask for them. One that fails is left alone for a
 * growing time, during which those who ask get its failure at once.
 */
export class Errands {
  readonly #queue: PQueue;
  readonly #options: { clock: Clock; log: Logger };
  readonly #running = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, Failure>();
  readonly #stopping = new AbortController();

  constructor(options: { concurrency: number; clock: Clock; log: Logger }) {
    this.#options = options;
    this.#queue = new PQueue({ concurrency: options.concurrency });
  }

  /** Resolves to undefined when it is done, else to why not. Never rejects. */
  async run(name: string, work: (signal: AbortSignal) => Promise<void>): Promise<Failure | undefined> {
    const before = this.#failures.get(name);
    if (before !== undefined && before.nextTryAt > this.#options.clock.now()) return before;
    const running = this.#running.get(name) ?? this.#start(name, work);
    await running;
    return this.#failures.get(name);
  }

  /** Resolves when nothing is under way any more; nothing is begun from here on. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#queue.clear();
    await this.#queue.onIdle();
  }

  #start(name: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const done = this.#queue.add(() => this.#attempt(name, work)).finally(() => this.#running.delete(name));
    this.#running.set(name, done);
    return done;
  }

  async #attempt(name: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    try {
      await work(this.#stopping.signal);
      this.#failures.delete(name);
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#note(name, error);
    }
  }

  #note(name: string, error: unknown): void {
    const now = this.#options.clock.now();
    const before = this.#failures.get(name);
    const tries = (before?.tries ?? 0) + 1;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS);
    const failure = {
      message: messageOf(error),
      tries,
      since: before?.since ?? now,
      nextTryAt: now + pauseMs,
    };
    this.#failures.set(name, failure);
    this.#options.log.warn({ what: name, err: error, tries, pauseMs }, 'could not be brought yet');
  }
}
