import type { DequeuedMessageItem, QueueClient } from '@azure/storage-queue';
import { checkLease, deliveryOf } from '../delivery.ts';
import type { Delivery } from '../ports.ts';
import { azureCodeOf, azureError } from './errors.ts';
import { decodeBody } from './message-body.ts';
import { askedOfQueue } from './rights.ts';

export const MAX_LEASE_MS = 7 * 24 * 3_600_000;

/** Azure counts leases in seconds. */
export const wholeSeconds = (ms: number): number => Math.ceil(ms / 1_000);

/**
 * A received message. `leasedUntil` is by `performance.now()`, and rather too early: counted from before the lease was asked
 * for. Each renewal brings a new receipt and makes the old one void. When its answer is lost, nobody has the receipt that
 * holds: the lease counts as lost, and the message comes back when it ends.
 */
export function deliverMessage(
  client: QueueClient,
  item: DequeuedMessageItem,
  leasedUntil: number,
): Delivery {
  const { messageId } = item;
  let receipt = item.popReceipt;
  let until = leasedUntil;
  /** False when the receipt is void. */
  const holds = async (call: () => Promise<unknown>, isGoneByUs: boolean): Promise<boolean> => {
    try {
      await call();
      return true;
    } catch (error) {
      const code = azureCodeOf(error);
      if (code === 'MessageNotFound') return isGoneByUs;
      if (code === 'PopReceiptMismatch') return false;
      throw azureError(error, askedOfQueue('receive from', client.name));
    }
  };
  const extend = async (leaseMs: number): Promise<boolean> => {
    checkLease(leaseMs, MAX_LEASE_MS);
    const seconds = wholeSeconds(leaseMs);
    const askedAt = performance.now();
    return holds(async () => {
      // Without a text the message keeps the one it has.
      const { popReceipt } = await client.updateMessage(messageId, receipt, undefined, seconds);
      receipt = popReceipt ?? receipt;
      until = askedAt + seconds * 1_000;
    }, false);
  };
  // While the lease lasts nobody but us can have deleted the message: a try before did, and its answer was lost.
  const remove = (): Promise<boolean> =>
    holds(() => client.deleteMessage(messageId, receipt), performance.now() < until);
  return deliveryOf(decodeBody(item.messageText), item.dequeueCount, { extend, remove });
}
