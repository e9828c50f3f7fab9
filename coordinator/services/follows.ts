import type { Clock } from '../../shared/clock.ts';
import type { Signals } from './signals.ts';

/** A follower that went away without saying so is forgotten after this. */
const FOLLOWED_MS = 5 * 60_000;

/** Jobs whose output somebody watches: agents then upload log chunks while tasks run. Kept in memory only. */
export class Follows {
  readonly #until = new Map<string, number>();
  readonly #clock: Clock;
  readonly #signals: Signals;

  constructor(clock: Clock, signals: Signals) {
    this.#clock = clock;
    this.#signals = signals;
  }

  set(job: string, on: boolean): void {
    const was = this.#until.has(job);
    if (on) this.#until.set(job, this.#clock.now() + FOLLOWED_MS);
    else this.#until.delete(job);
    if (was !== on) this.#signals.ring('revokes');
  }

  /** In a fixed order, so that equal sets give equal documents. */
  jobs(): string[] {
    const now = this.#clock.now();
    for (const [job, until] of this.#until) if (until < now) this.#until.delete(job);
    return [...this.#until.keys()].sort();
  }
}
