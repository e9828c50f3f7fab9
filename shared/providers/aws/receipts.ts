import {
  type BatchResultErrorEntry,
  type Message,
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
} from '@aws-sdk/client-sqs';
import { ClobiError, messageOf } from '../../errors.ts';
import { checkLease, deliveryOf } from '../delivery.ts';
import type { Delivery } from '../ports.ts';
import { Batcher } from './batcher.ts';
import { entryError, errorName } from './errors.ts';
import { BATCH_SIZE } from './queue-batches.ts';
import type { NamedQueue } from './queue-url.ts';

/** From the receive on, whatever is extended in between. */
export const MAX_LEASE_MS = 12 * 3600 * 1000;
/** A request costs the same for ten messages as for one. */
const GATHER_MS = 5;

/** SQS counts in whole seconds; a lease must not be shorter than its holder reckons with. */
export const secondsOf = (ms: number): number => Math.ceil(ms / 1_000);

/**
 * What is done with received messages: extended and deleted, in batches. A receipt stays the same when it is extended.
 * With one that is stale SQS deletes nothing and says nothing, or says so: then it is `LEASE_LOST`.
 */
export class Receipts {
  readonly #queue: NamedQueue;
  readonly #extends: Batcher<{ receipt: string; seconds: number }, boolean>;
  readonly #removes: Batcher<string, boolean>;
  readonly #pending = new Set<Promise<boolean>>();

  constructor(queue: NamedQueue) {
    this.#queue = queue;
    const options = { size: BATCH_SIZE, waitMs: GATHER_MS };
    this.#extends = new Batcher({ ...options, send: (items) => this.#extend(items) });
    this.#removes = new Batcher({ ...options, send: (items) => this.#remove(items) });
  }

  /** `askedAt`: when the receive was sent, by `performance.now()`. */
  deliver(message: Message, askedAt: number): Delivery {
    const receipt = message.ReceiptHandle ?? '';
    const count = Number(message.Attributes?.ApproximateReceiveCount ?? 1);
    return deliveryOf(message.Body ?? '', count, {
      extend: (leaseMs) => {
        checkLease(leaseMs, MAX_LEASE_MS - Math.ceil(performance.now() - askedAt));
        return this.#track(this.#extends.run({ receipt, seconds: secondsOf(leaseMs) }));
      },
      remove: () => this.#track(this.#removes.run(receipt)),
    });
  }

  /** Resolves when nothing is under way; never rejects. */
  async settled(): Promise<void> {
    this.#extends.flush();
    this.#removes.flush();
    await Promise.allSettled(this.#pending);
  }

  #track(call: Promise<boolean>): Promise<boolean> {
    this.#pending.add(call);
    return call.finally(() => this.#pending.delete(call));
  }

  async #extend(items: readonly { receipt: string; seconds: number }[]): Promise<(boolean | Error)[]> {
    const Entries = items.map(({ receipt, seconds }, i) => ({
      Id: String(i),
      ReceiptHandle: receipt,
      VisibilityTimeout: seconds,
    }));
    const operation = 'ChangeMessageVisibilityBatch';
    const { Failed } = await this.#queue.ask(operation, (QueueUrl) =>
      this.#queue.client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries })),
    );
    return items.map((_, i) => this.#result(operation, i, Failed));
  }

  async #remove(receipts: readonly string[]): Promise<(boolean | Error)[]> {
    const Entries = receipts.map((ReceiptHandle, i) => ({ Id: String(i), ReceiptHandle }));
    const operation = 'DeleteMessageBatch';
    const { Failed } = await this.#queue.ask(operation, (QueueUrl) =>
      this.#queue.client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries })),
    );
    return receipts.map((_, i) => this.#result(operation, i, Failed));
  }

  /** False when the receipt is void. */
  #result(
    operation: string,
    index: number,
    failures: readonly BatchResultErrorEntry[] = [],
  ): boolean | Error {
    const failed = failures.find(({ Id }) => Id === String(index));
    if (failed === undefined) return true;
    const error = entryError(failed);
    if (isStale(error)) return false;
    if (/Total VisibilityTimeout/.test(messageOf(error)))
      return new ClobiError('LIMIT_EXCEEDED', `SQS ends a lease 12 h after the receive: ${error.message}.`);
    return this.#queue.errorOf(operation, error);
  }
}

const isStale = (error: Error): boolean =>
  /^(ReceiptHandleIsInvalid|MessageNotInflight)$/.test(errorName(error)) ||
  /Message does not exist or is not available|receipt handle has expired/i.test(error.message);
