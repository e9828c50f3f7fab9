/** Queues on the wire hold a receive no longer than this. */
const LONGEST_WAIT_MS = 20_000;
const SHORTEST_GAP_MS = 1_000;

/**
 * Since when we hear everything a pool says (R7): silence counts only from then on. It begins when the events queue has
 * been read empty after a start or an outage, and ends with an outage, with a gap in which this process did not run (it was
 * stopped, or the machine slept), and with a jump of the clock.
 */
export class Listening {
  /** How long one receive may wait: so shortly that a receive which comes back late tells a gap. */
  readonly waitMs: number;
  readonly #longestGapMs: number;
  #since: number | undefined;
  #lastReceive: number | undefined;

  /** A gap shorter than the dead time by a good part must be seen: whoever was heard before it would else be taken for dead. */
  constructor(deadMs: number) {
    this.#longestGapMs = Math.max(SHORTEST_GAP_MS, Math.min(1.5 * LONGEST_WAIT_MS, deadMs / 2));
    this.waitMs = Math.floor(this.#longestGapMs / 1.5);
  }

  get since(): number | undefined {
    return this.#since;
  }

  received(messages: number, now: number): void {
    if (!this.#follows(now)) this.#since = undefined;
    this.#lastReceive = now;
    if (messages === 0) this.#since ??= now;
  }

  outage(): void {
    this.#since = undefined;
    this.#lastReceive = undefined;
  }

  /** True when we have listened without a break for `ms`, and still do: who woke up first may ask before the next receive. */
  forAtLeast(ms: number, now: number): boolean {
    return this.#since !== undefined && now - this.#since >= ms && this.#follows(now);
  }

  #follows(now: number): boolean {
    return (
      this.#lastReceive === undefined ||
      (now >= this.#lastReceive && now - this.#lastReceive <= this.#longestGapMs)
    );
  }
}
