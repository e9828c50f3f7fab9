import { closeSync, futimesSync, openSync, watch, type FSWatcher } from 'node:fs';
import { pause } from '../../clock.ts';

/**
 * Tells the receivers in all processes that there is something to look for: a file beside the queue whose times a sender
 * changes, watched once a process. A hint only: a ring may be lost (a sender killed between its commit and the ring),
 * so a receiver also looks by itself every `RECHECK_MS`.
 */
const RECHECK_MS = 1_000;
/** Where the system has no watch left to give. */
const RECHECK_WITHOUT_WATCH_MS = 20;

export class Bell {
  readonly #path: string;
  readonly #file: number;
  readonly #waiting = new Set<() => void>();
  #watcher: FSWatcher | undefined;
  #recheckMs = RECHECK_MS;
  #heard = 0;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, 'a', 0o600);
  }

  /** The number of rings heard so far, listening from now on. Read it before you look, then wait past it. */
  listen(): number {
    if (this.#watcher === undefined && this.#recheckMs === RECHECK_MS) this.#watch();
    return this.#heard;
  }

  ring(): void {
    if (this.#closed) return;
    const now = new Date();
    futimesSync(this.#file, now, now);
  }

  /** Resolves at a ring after the `heard`-th, after `ms`, when it is time to look again, or when aborted. */
  async waitPast(heard: number, ms: number, signal?: AbortSignal): Promise<void> {
    if (heard !== this.#heard || signal?.aborted === true) return;
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    this.#waiting.add(wake);
    signal?.addEventListener('abort', wake, { once: true });
    await pause(Math.min(ms, this.#recheckMs), woken.signal);
    signal?.removeEventListener('abort', wake);
    this.#waiting.delete(wake);
  }

  /** Ends all waits. */
  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    this.#wakeAll();
    closeSync(this.#file);
  }

  #watch(): void {
    try {
      this.#watcher = watch(this.#path, { persistent: false }, () => this.#wakeAll());
      this.#watcher.on('error', () => this.#giveUpWatching());
    } catch {
      this.#giveUpWatching();
    }
  }

  #giveUpWatching(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#recheckMs = RECHECK_WITHOUT_WATCH_MS;
  }

  #wakeAll(): void {
    this.#heard += 1;
    for (const wake of [...this.#waiting]) wake();
  }
}
