import { ClobiError, messageOf } from '../../errors.ts';
import type { ObjectStore, Queue, QueueCapabilities, StoreCapabilities } from '../ports.ts';
import { troubleOf } from '../trouble.ts';

/** A provider that may be opened later than it is handed out: a cloud that does not answer now keeps nobody from starting. */
export class Late<T> {
  readonly #open: () => Promise<T>;
  #value: T | undefined;

  constructor(open: () => Promise<T>) {
    this.#open = open;
  }

  /** Opens it unless it is open. Whatever it rejects with is trouble that may pass, or that a person must end. */
  async open(): Promise<void> {
    try {
      this.#value ??= await this.#open();
    } catch (error) {
      if (['auth', 'quota', 'throttled', 'unreachable'].includes(troubleOf(error))) throw error;
      throw new ClobiError('UNAVAILABLE', messageOf(error), { cause: error });
    }
  }

  get value(): T | undefined {
    return this.#value;
  }

  /** Throws `UNAVAILABLE` while it is not open. */
  get opened(): T {
    if (this.#value !== undefined) return this.#value;
    throw new ClobiError('UNAVAILABLE', 'It is not open yet.');
  }
}

/** Of the weakest provider: who acts by these does nothing wrong with any. */
const LEAST_QUEUE: QueueCapabilities = {
  maxBodyBytes: 48 * 1024,
  maxReceive: 10,
  longPoll: false,
  maxLeaseMs: 12 * 3600 * 1000,
};
const LEAST_STORE: StoreCapabilities = { putIfAbsent: false, presign: false, controlPollMs: 5_000 };

export const lateQueue = (late: Late<Queue>): Queue => ({
  get capabilities() {
    return late.value?.capabilities ?? LEAST_QUEUE;
  },
  send: async (bodies) => late.opened.send(bodies),
  receive: async (options) => late.opened.receive(options),
  depth: async () => late.opened.depth(),
  ensure: async () => late.opened.ensure(),
  close: async () => late.value?.close(),
});

export const lateStore = (late: Late<ObjectStore>): ObjectStore => ({
  get capabilities() {
    return late.value?.capabilities ?? LEAST_STORE;
  },
  get direct() {
    return late.value?.direct;
  },
  put: async (key, body, options) => late.opened.put(key, body, options),
  get: async (key, options) => late.opened.get(key, options),
  head: async (key) => late.opened.head(key),
  list: async (prefix, after) => late.opened.list(prefix, after),
  remove: async (keys) => late.opened.remove(keys),
  presign: async (method, key, expiresMs) => late.opened.presign(method, key, expiresMs),
});
