import { pause, systemClock, type Clock } from '../../clock.ts';
import { ClobiError } from '../../errors.ts';
import { checkLease, deliveryOf } from '../delivery.ts';
import type { Delivery, Queue, QueueCapabilities, ReceiveOptions, SendResult } from '../ports.ts';

const CAPABILITIES: QueueCapabilities = {
  maxBodyBytes: 1024 * 1024,
  maxReceive: 100,
  longPoll: true,
  maxLeaseMs: 7 * 24 * 3600 * 1000,
};

interface Message {
  body: string;
  count: number;
  /** 0: never received. Milliseconds by the queue's clock. */
  visibleAt: number;
}

/** A queue of one process, for simulators and unit tests. Leases run by `clock`; waiting takes real time. */
export class MemoryQueue implements Queue {
  readonly capabilities = CAPABILITIES;
  readonly #clock: Clock;
  readonly #messages = new Set<Message>();
  #wake = new AbortController();
  #closed = false;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  async ensure(): Promise<void> {
    this.#checkOpen();
  }

  async send(bodies: readonly string[]): Promise<SendResult[]> {
    this.#checkOpen();
    const results = bodies.map((body) => this.#add(body));
    this.#wakeAll();
    return results;
  }

  async receive({ max, waitMs, leaseMs, signal }: ReceiveOptions): Promise<Delivery[]> {
    checkLease(leaseMs, CAPABILITIES.maxLeaseMs);
    const deadline = performance.now() + waitMs;
    while (!this.#closed && signal?.aborted !== true) {
      const visible = this.#visible().slice(0, Math.min(max, CAPABILITIES.maxReceive));
      if (visible.length > 0) return visible.map((message) => this.#lease(message, leaseMs));
      const left = deadline - performance.now();
      if (left <= 0) break;
      await this.#wait(Math.min(left, this.#untilNextExpiry()), signal);
    }
    return [];
  }

  async depth(): Promise<number> {
    return this.#visible().length;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wakeAll();
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClobiError('CONFLICT', 'The queue was closed and is used again.');
  }

  #add(body: string): SendResult {
    const size = Buffer.byteLength(body);
    if (size > CAPABILITIES.maxBodyBytes) {
      const message = `A message of ${size} bytes is over the limit of ${CAPABILITIES.maxBodyBytes} bytes.`;
      return { ok: false, retryable: false, cause: new ClobiError('LIMIT_EXCEEDED', message) };
    }
    this.#messages.add({ body, count: 0, visibleAt: 0 });
    return { ok: true };
  }

  #visible(): Message[] {
    const now = this.#clock.now();
    return [...this.#messages].filter((message) => message.visibleAt <= now);
  }

  #lease(message: Message, leaseMs: number): Delivery {
    message.count += 1;
    message.visibleAt = this.#clock.now() + leaseMs;
    const count = message.count;
    const isOurs = (): boolean => this.#messages.has(message) && message.count === count;
    return deliveryOf(message.body, count, {
      extend: async (ms) => {
        checkLease(ms, CAPABILITIES.maxLeaseMs);
        if (!isOurs()) return false;
        message.visibleAt = this.#clock.now() + ms;
        this.#wakeAll();
        return true;
      },
      remove: async () => isOurs() && this.#messages.delete(message),
    });
  }

  #untilNextExpiry(): number {
    const now = this.#clock.now();
    return [...this.#messages].reduce(
      (soonest, { visibleAt }) => Math.min(soonest, visibleAt - now),
      Infinity,
    );
  }

  async #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const woken = this.#wake.signal;
    await pause(Math.max(1, ms), signal === undefined ? woken : AbortSignal.any([woken, signal]));
  }

  #wakeAll(): void {
    this.#wake.abort();
    this.#wake = new AbortController();
  }
}
