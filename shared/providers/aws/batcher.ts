interface Waiting<T, R> {
  item: T;
  resolve: (result: R) => void;
  reject: (error: unknown) => void;
}

export interface BatcherOptions<T, R> {
  /** A result an item, in order; one that rejects fails all its items. An `Error` as a result fails its item alone. */
  send: (items: readonly T[]) => Promise<readonly (R | Error)[]>;
  /** Most items in one batch. */
  size: number;
  /** How long the first of a batch waits for others. */
  waitMs: number;
}

/** Turns calls of one item, made at about the same time, into calls of many: where requests are what is paid for. */
export class Batcher<T, R> {
  readonly #options: BatcherOptions<T, R>;
  #waiting: Waiting<T, R>[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BatcherOptions<T, R>) {
    this.#options = options;
  }

  run(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#waiting.length >= this.#options.size) this.flush();
      else this.#timer ??= setTimeout(() => this.flush(), this.#options.waitMs);
    });
  }

  /** Sends what waits, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length > 0) void this.#send(batch);
  }

  /** Never rejects: whoever waits for an item hears of it. */
  async #send(batch: readonly Waiting<T, R>[]): Promise<void> {
    try {
      const results = await this.#options.send(batch.map(({ item }) => item));
      batch.forEach(({ resolve, reject }, i) => {
        const result = results[i];
        if (result === undefined || result instanceof Error) reject(result ?? new Error('no result'));
        else resolve(result);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
