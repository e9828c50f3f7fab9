/**
 * What repeated calls are paid from: a retry costs one token, a success gives a tenth back. While all goes well there are
 * always some; in an outage they are soon gone, and what fails then fails at once instead of adding to the flood.
 */
export class RetryBudget {
  readonly #most: number;
  /** In tenths, so that ten of them are one. */
  #tenths: number;

  constructor(most = 10) {
    this.#most = most * 10;
    this.#tenths = this.#most;
  }

  succeeded(): void {
    if (this.#tenths < this.#most) this.#tenths += 1;
  }

  /** False when there is nothing left to pay with. */
  take(): boolean {
    if (this.#tenths < 10) return false;
    this.#tenths -= 10;
    return true;
  }
}
