import { ClobiError } from '../errors.ts';
import type { Delivery } from './ports.ts';

export interface DeliveryCalls {
  /** False when the receipt is void. */
  extend: (leaseMs: number) => Promise<boolean>;
  /** False when the receipt is void. */
  remove: () => Promise<boolean>;
}

/** A delivery whose calls wait for one another, and whose `done` succeeds once and is then remembered. */
export function deliveryOf(body: string, receiveCount: number, calls: DeliveryCalls): Delivery {
  let removed = false;
  let last: Promise<void> = Promise.resolve();
  const inTurn = (call: () => Promise<void>): Promise<void> => {
    last = last.then(call, call);
    return last;
  };
  return {
    body,
    receiveCount,
    extend: (leaseMs) =>
      inTurn(async () => {
        if (!(await calls.extend(leaseMs))) throw leaseLost();
      }),
    done: () =>
      inTurn(async () => {
        removed ||= await calls.remove();
        if (!removed) throw leaseLost();
      }),
  };
}

const leaseLost = (): ClobiError =>
  new ClobiError('LEASE_LOST', 'The message went to another receiver because its lease ran out.');

/** Rejects a lease the queue cannot keep: it would come back earlier than its receiver reckons with. */
export function checkLease(leaseMs: number, maxLeaseMs: number): void {
  if (leaseMs >= 0 && leaseMs <= maxLeaseMs) return;
  throw new ClobiError(
    'LIMIT_EXCEEDED',
    `A lease of ${leaseMs} ms is outside the bounds of 0 and ${maxLeaseMs} ms.`,
  );
}
