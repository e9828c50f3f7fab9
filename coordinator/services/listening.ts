/**
 * Since when we hear everything a pool says (R7): silence counts only from then on. It begins when the events queue has
 * been read empty after a start or an outage, and ends with an outage, or a gap in which this process did not run.
 */
export class Listening {
  readonly #longestGapMs: number;
  #since: number | undefined;
  #lastReceive: number | undefined;

  /** `longestGapMs`: a longer time between two receives counts as an outage. At least a long poll. */
  constructor(deadMs: number) {
    this.#longestGapMs = Math.max(30_000, deadMs);
  }

  get since(): number | undefined {
    return this.#since;
  }

  received(messages: number, now: number): void {
    if (this.#lastReceive !== undefined && now - this.#lastReceive > this.#longestGapMs)
      this.#since = undefined;
    this.#lastReceive = now;
    if (messages === 0) this.#since ??= now;
  }

  outage(): void {
    this.#since = undefined;
    this.#lastReceive = undefined;
  }

  /** True when we have listened without a break for `ms`. */
  forAtLeast(ms: number, now: number): boolean {
    return this.#since !== undefined && now - this.#since >= ms;
  }
}
