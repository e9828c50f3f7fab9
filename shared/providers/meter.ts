/** Counts requests as they go over the wire, retries of the SDK included: that is what a cloud bills. */
export interface Meter {
  /** `operation` as the cloud names it, with its service: `sqs:SendMessageBatch`, `s3:PutObject`, `azure-queue:PutMessage`. */
  count(operation: string): void;
}

/** Sums by operation. */
export class RequestCounts implements Meter {
  readonly #counts = new Map<string, number>();

  count(operation: string): void {
    this.#counts.set(operation, (this.#counts.get(operation) ?? 0) + 1);
  }

  /** Since the start. */
  totals(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}

export const noMeter: Meter = { count: () => undefined };
