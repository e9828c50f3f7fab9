import type { Delivery, Queue, SendResult } from '../ports.ts';
import { troubleOf } from '../trouble.ts';
import { isRefused } from './breaker.ts';
import type { Guard } from './guard.ts';

/**
 * The same queue behind a guard; its operations are `<role>.send`, `<role>.receive`, … A send is never repeated here: a message
 * whose answer was lost would be there twice. One that is refused fails for each body, and nothing was sent.
 */
export function guardQueue(queue: Queue, guard: Guard, role: string): Queue {
  const call = <T>(operation: string, work: () => Promise<T>): Promise<T> =>
    guard.call(`${role}.${operation}`, work, { again: true });
  return {
    get capabilities() {
      return queue.capabilities;
    },
    send: (bodies) => send(queue, guard, role, bodies),
    receive: async (options) => {
      const deliveries = await guard.call(`${role}.receive`, () => queue.receive(options), { lane: 'none' });
      return deliveries.map((delivery) => guardDelivery(delivery, call));
    },
    depth: () => call('depth', () => queue.depth()),
    ensure: () => call('ensure', () => queue.ensure()),
    close: () => queue.close(),
  };
}

/** When nothing was sent and the provider is in trouble, the breaker hears of it; the caller gets results all the same. */
async function send(
  queue: Queue,
  guard: Guard,
  role: string,
  bodies: readonly string[],
): Promise<SendResult[]> {
  let results: SendResult[] | undefined;
  try {
    return await guard.call(`${role}.send`, async () => {
      results = await queue.send(bodies);
      const failed = results.filter((result) => !result.ok);
      const trouble = failed.find(({ cause }) => troubleOf(cause) !== 'bug');
      if (trouble !== undefined && failed.length === results.length) throw trouble.cause;
      return results;
    });
  } catch (error) {
    if (results !== undefined) return results;
    if (!isRefused(error)) throw error;
    return bodies.map(() => ({ ok: false, retryable: true, cause: error }));
  }
}

const guardDelivery = (
  delivery: Delivery,
  call: (operation: string, work: () => Promise<void>) => Promise<void>,
): Delivery => ({
  body: delivery.body,
  receiveCount: delivery.receiveCount,
  extend: (leaseMs) => call('extend', () => delivery.extend(leaseMs)),
  done: () => call('done', () => delivery.done()),
});
