import { ClobiError } from '../../errors.ts';
import type { Delivery, Queue, QueueCapabilities, ReceiveOptions, SendResult } from '../ports.ts';
import { Bell } from './bell.ts';
import { checkLease, deliveryOf } from '../delivery.ts';
import { GroupCommit } from './group-commit.ts';
import { Messages, type Taken } from './messages.ts';
import { createQueueFile, openQueueFile, queueError } from './queue-file.ts';

const CAPABILITIES: QueueCapabilities = {
  maxBodyBytes: 1024 * 1024,
  maxReceive: 100,
  longPoll: true,
  maxLeaseMs: 7 * 24 * 3600 * 1000,
};

/** What is open while the queue is: made by `ensure`, or found by the first use. */
interface Connection {
  messages: Messages;
  writes: GroupCommit;
  bell: Bell;
  close: () => void;
}

/**
 * A queue in one SQLite file that any number of processes on this machine share. Every change is on disk before it is
 * acknowledged; a process killed at any moment leaves whole messages, leased or not. Messages never expire.
 */
export class LocalQueue implements Queue {
  readonly capabilities = CAPABILITIES;
  readonly #path: string;
  #connection: Connection | undefined;
  readonly #receiving = new Set<Promise<unknown>>();
  #closed = false;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Touches nothing: `ensure` makes the file, any other call rejects with `NOT_FOUND` while there is none. */
  static open(path: string): LocalQueue {
    return new LocalQueue(path);
  }

  async ensure(): Promise<void> {
    if (this.#connection !== undefined) return;
    try {
      this.#connect();
    } catch (error) {
      if (!(error instanceof ClobiError) || error.code !== 'NOT_FOUND') throw error;
      await createQueueFile(this.#path);
      this.#connect();
    }
  }

  /** Never rejects: what fails all bodies is reported for each. */
  async send(bodies: readonly string[]): Promise<SendResult[]> {
    const refused = bodies.map(refusalOf);
    const fit = bodies.filter((_, i) => refused[i] === undefined);
    const sent = fit.length === 0 ? undefined : await this.#sendAll(fit);
    return refused.map((refusal) => refusal ?? sent ?? { ok: true });
  }

  async receive(options: ReceiveOptions): Promise<Delivery[]> {
    checkLease(options.leaseMs, CAPABILITIES.maxLeaseMs);
    const receiving = this.#receive(options);
    this.#receiving.add(receiving);
    try {
      return await receiving;
    } finally {
      this.#receiving.delete(receiving);
    }
  }

  async depth(): Promise<number> {
    return this.#read((messages) => messages.countVisible(Date.now()));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection?.bell.close();
    await Promise.allSettled(this.#receiving);
    await this.#connection?.writes.settled();
    this.#connection?.close();
  }

  #connect(): Connection {
    if (this.#closed)
      throw new ClobiError('CONFLICT', `The queue "${this.#path}" was closed and is used again.`);
    this.#connection ??= connect(this.#path);
    return this.#connection;
  }

  async #receive(options: ReceiveOptions): Promise<Delivery[]> {
    const unwanted = (): boolean => this.#closed || options.signal?.aborted === true;
    const deadline = performance.now() + options.waitMs;
    while (!unwanted()) {
      const { bell } = this.#connect();
      const heard = bell.listen();
      const taken = await this.#take(options, unwanted);
      if (taken.length > 0) return taken.map((one) => this.#deliver(one));
      const left = deadline - performance.now();
      if (left <= 0 || unwanted()) break;
      const expiry = this.#read((messages) => messages.nextExpiry() ?? Infinity) - Date.now();
      await bell.waitPast(heard, Math.min(left, Math.max(1, expiry)), options.signal);
    }
    return [];
  }

  #read<T>(look: (messages: Messages) => T): T {
    try {
      return look(this.#connect().messages);
    } catch (error) {
      throw queueError(this.#path, error);
    }
  }

  /** A write in the transaction of this turn; every error as a ClobiError. */
  async #write<T>(work: (messages: Messages) => T): Promise<T> {
    try {
      const { writes, messages } = this.#connect();
      return await writes.run(() => work(messages));
    } catch (error) {
      throw queueError(this.#path, error);
    }
  }

  /** The failure of all, or undefined. */
  async #sendAll(bodies: readonly string[]): Promise<SendResult | undefined> {
    try {
      await this.#write((messages) => bodies.forEach((body) => messages.insert(body)));
    } catch (error) {
      return { ok: false, retryable: error instanceof ClobiError && error.retryable, cause: error };
    }
    this.#connection?.bell.ring();
    return undefined;
  }

  /** Takes nothing for a receive that was aborted or closed while it waited for its transaction. */
  async #take({ max, leaseMs }: ReceiveOptions, unwanted: () => boolean): Promise<Taken[]> {
    // A look without the write lock first: every receiver in every process wakes at a ring.
    if (!this.#read((messages) => messages.hasVisible(Date.now()))) return [];
    const most = Math.min(max, CAPABILITIES.maxReceive);
    return this.#write((messages) =>
      unwanted() ? [] : messages.take(most, Date.now() + leaseMs, Date.now()),
    );
  }

  #deliver(taken: Taken): Delivery {
    return deliveryOf(taken.body, taken.count, {
      extend: async (leaseMs) => {
        checkLease(leaseMs, CAPABILITIES.maxLeaseMs);
        const kept = await this.#write((messages) => messages.extend(taken, Date.now() + leaseMs));
        // It may now be visible earlier than the receivers reckon with.
        this.#connection?.bell.ring();
        return kept;
      },
      remove: () => this.#write((messages) => messages.remove(taken)),
    });
  }
}

function connect(path: string): Connection {
  const db = openQueueFile(path);
  try {
    const messages = new Messages(db);
    return { messages, writes: new GroupCommit(db), bell: new Bell(`${path}.bell`), close: () => db.close() };
  } catch (error) {
    db.close();
    throw queueError(path, error);
  }
}

function refusalOf(body: string): SendResult | undefined {
  const size = Buffer.byteLength(body);
  if (size <= CAPABILITIES.maxBodyBytes) return undefined;
  const cause = new ClobiError(
    'LIMIT_EXCEEDED',
    `A message of ${size} bytes is over the limit of ${CAPABILITIES.maxBodyBytes} bytes.`,
    { context: { size, limit: CAPABILITIES.maxBodyBytes } },
  );
  return { ok: false, retryable: false, cause };
}
