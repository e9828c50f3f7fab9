import type { Queue } from '../../shared/providers/ports.ts';
import type { QueueProbeTraits } from '../../shared/providers/probes/queue.ts';

export { LONG, NOW, numbered, receiveAll } from '../../shared/providers/probes/queue.ts';

/** What is known of a provider's queue, where providers differ. */
export interface QueueTraits extends QueueProbeTraits {
  /** Other processes can open the queue by its URL. */
  otherProcesses: boolean;
  /** A receive that is aborted leaves the receive count as it was. */
  abortKeepsCount: boolean;
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

export type WithQueue = (test: (queue: Queue, fixture: QueueFixture) => Promise<void>) => () => Promise<void>;

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
