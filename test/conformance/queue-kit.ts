import assert from 'node:assert/strict';
import type { Delivery, Queue } from '../../shared/providers/ports.ts';

/** What is known of a provider's queue, where providers differ. */
export interface QueueTraits {
  /** The server refuses letters beyond U+FFFF, which the real one takes. */
  bmpOnly?: boolean;
  /** Other processes can open the queue by its URL. */
  otherProcesses: boolean;
  /** A receive that is aborted leaves the receive count as it was. */
  abortKeepsCount: boolean;
  /** `done` with a stale receipt rejects (else it may pass, and the message may stay). */
  staleDoneRejects: boolean;
  /** A lease short enough to wait for. */
  leaseMs: number;
  /** Longest time from a send to its receipt in another process on an idle machine; the tests allow much more. */
  wakeMs: number;
  /** Messages in the races between receivers; fewer where the server under test slows down as it fills. */
  crowd?: number;
}

/** A new, empty queue. */
export interface QueueFixture {
  url: string;
  /** One more handle on the queue; all are closed by `dispose`. */
  open(): Promise<Queue>;
  dispose(): Promise<void>;
}

export const LONG = { waitMs: 10_000, leaseMs: 60_000 };
export const NOW = { waitMs: 0, leaseMs: 60_000 };

export type WithQueue = (test: (queue: Queue, fixture: QueueFixture) => Promise<void>) => () => Promise<void>;

export const numbered = (count: number): string[] => Array.from({ length: count }, (_, n) => `message ${n}`);

/** Receives until `count` messages are here; fails when nothing more comes. */
export async function receiveAll(queue: Queue, count: number): Promise<Delivery[]> {
  const got: Delivery[] = [];
  while (got.length < count) {
    const more = await queue.receive({ ...LONG, max: count - got.length });
    assert.ok(more.length > 0, `${got.length} of ${count} messages came`);
    got.push(...more);
  }
  return got;
}

/** Takes and deletes until nothing comes for half a second. */
export async function drain(queue: Queue): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const deliveries = await queue.receive({ max: 10, waitMs: 500, leaseMs: 60_000 });
    if (deliveries.length === 0) return bodies;
    bodies.push(...deliveries.map((delivery) => delivery.body));
    await Promise.all(deliveries.map((delivery) => delivery.done()));
  }
}
