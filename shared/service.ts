import type { Logger } from 'pino';
import { pause } from './clock.ts';
import { messageOf } from './errors.ts';

/**
 * The one anatomy of every long-running part: `runOnce` makes one pass, the loop calls it again when woken
 * or after `intervalMs`. States: idle → running → stopping → idle. `stop` before `start`, twice, or during
 * `start` is fine. A pass that throws is logged and tried again after a growing pause; it never ends the loop.
 */
export interface ServiceOptions {
  name: string;
  /** Longest pause between two passes when nobody wakes it. */
  intervalMs: number;
  log: Logger;
  /** Resolves to true when there is more to do at once. Gets a signal that aborts when stop is called. */
  runOnce: (signal: AbortSignal) => Promise<boolean>;
}

const LONGEST_PAUSE_AFTER_FAILURE_MS = 15_000;

export class Service {
  readonly name: string;
  readonly #options: ServiceOptions;
  #stopping: AbortController | undefined;
  #loop: Promise<void> | undefined;
  #wakeUp: (() => void) | undefined;
  #woken = false;

  constructor(options: ServiceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  start(): void {
    if (this.#loop !== undefined) return;
    this.#stopping = new AbortController();
    this.#loop = this.#run(this.#stopping.signal);
  }

  /** Resolves when the pass under way has ended. */
  async stop(): Promise<void> {
    this.#stopping?.abort();
    this.wake();
    await this.#loop;
    this.#loop = undefined;
    this.#stopping = undefined;
  }

  /** Asks for another pass soon; many calls make one pass. */
  wake(): void {
    this.#woken = true;
    this.#wakeUp?.();
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      this.#woken = false;
      let more = false;
      try {
        more = await this.#options.runOnce(signal);
        failures = 0;
      } catch (error) {
        failures += 1;
        this.#options.log.error(
          { service: this.name, err: error, failures },
          `pass failed: ${messageOf(error)}`,
        );
      }
      if (failures > 0) await pause(Math.min(100 * 2 ** failures, LONGEST_PAUSE_AFTER_FAILURE_MS), signal);
      else if (more) await new Promise(setImmediate);
      else await this.#sleep(signal);
    }
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    if (this.#woken || signal.aborted) return;
    const woken = new AbortController();
    this.#wakeUp = () => woken.abort();
    await pause(this.#options.intervalMs, woken.signal);
    this.#wakeUp = undefined;
  }
}
