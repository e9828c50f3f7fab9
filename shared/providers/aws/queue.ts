import {
  type Message,
  type SQSClient,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from '@aws-sdk/client-sqs';
import PQueue from 'p-queue';
import { pause } from '../../clock.ts';
import { ClobiError } from '../../errors.ts';
import { checkLease } from '../delivery.ts';
import type { Meter } from '../meter.ts';
import type { Delivery, Queue, QueueCapabilities, ReceiveOptions, SendResult } from '../ports.ts';
import type { CloudUrl } from '../url.ts';
import { entryError } from './errors.ts';
import { BATCH_SIZE, MAX_BYTES, batchesOf, refusalOf } from './queue-batches.ts';
import { ensureQueue } from './queue-settings.ts';
import { NamedQueue } from './queue-url.ts';
import { MAX_LEASE_MS, Receipts, secondsOf } from './receipts.ts';
import { LONGEST_POLL_MS, sqsClient } from './sqs-client.ts';

const CAPABILITIES: QueueCapabilities = {
  maxBodyBytes: MAX_BYTES,
  maxReceive: BATCH_SIZE,
  longPoll: true,
  maxLeaseMs: MAX_LEASE_MS,
};

/** Batches of one `send` under way at a time. */
const SENDS = 8;
/** Rest after a poll that came back empty before its time, as one does while 120,000 messages are leased. */
const REST_MS = 250;

/**
 * A standard queue of SQS. Its times are whole seconds: leases and waits are rounded up. A message may come twice, and its
 * receive count may be above 1 though nobody got it: an answer that is lost on its way has leased it.
 *
 * For that reason an aborted receive does not abort its request: it waits for the poll under way, 5 s at most, and hands
 * over what came.
 */
export class SqsQueue implements Queue {
  readonly capabilities = CAPABILITIES;
  readonly #client: SQSClient;
  readonly #queue: NamedQueue;
  readonly #receipts: Receipts;
  readonly #sends = new PQueue({ concurrency: SENDS });
  readonly #receiving = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  private constructor(client: SQSClient, url: CloudUrl) {
    this.#client = client;
    this.#queue = new NamedQueue(client, url);
    this.#receipts = new Receipts(this.#queue);
  }

  static open(url: CloudUrl, meter: Meter): SqsQueue {
    return new SqsQueue(sqsClient(url, meter), url);
  }

  async ensure(): Promise<void> {
    this.#checkOpen();
    await ensureQueue(this.#queue);
  }

  /** Never rejects: what fails all bodies is reported for each. A lost answer makes the SDK send a batch again. */
  async send(bodies: readonly string[]): Promise<SendResult[]> {
    const results = bodies.map(refusalOf);
    const rest = results.flatMap((result, index) => (result === undefined ? [index] : []));
    await Promise.all(
      batchesOf(bodies, rest).map(async (batch) => {
        const sent = await this.#sends.add(() => this.#sendBatch(batch.map((index) => bodies[index] ?? '')));
        batch.forEach((index, i) => (results[index] = sent[i]));
      }),
    );
    return results.map((result) => result ?? { ok: true });
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
    const { Attributes } = await this.#queue.ask('GetQueueAttributes', (QueueUrl) =>
      this.#client.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['ApproximateNumberOfMessages'] }),
      ),
    );
    return Number(Attributes?.['ApproximateNumberOfMessages'] ?? 0);
  }

  /** Waits for polls under way, and for what is to be deleted. Deliveries may still be extended and done. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#receiving);
    await this.#receipts.settled();
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted)
      throw new ClobiError('CONFLICT', `The queue "${this.#queue.name}" was closed and is used again.`);
  }

  async #sendBatch(bodies: readonly string[]): Promise<SendResult[]> {
    try {
      this.#checkOpen();
      const Entries = bodies.map((MessageBody, i) => ({ Id: String(i), MessageBody }));
      const { Failed = [] } = await this.#queue.ask('SendMessageBatch', (QueueUrl) =>
        this.#client.send(new SendMessageBatchCommand({ QueueUrl, Entries })),
      );
      return bodies.map((_, i) => {
        const failed = Failed.find(({ Id }) => Id === String(i));
        return failed === undefined ? { ok: true } : this.#failure(entryError(failed));
      });
    } catch (error) {
      return bodies.map(() => this.#failure(error));
    }
  }

  #failure(error: unknown): SendResult {
    const cause = this.#queue.errorOf('SendMessageBatch', error);
    return { ok: false, retryable: cause.retryable, cause };
  }

  async #receive({ max, waitMs, leaseMs, signal }: ReceiveOptions): Promise<Delivery[]> {
    const stop =
      signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    const deadline = performance.now() + waitMs;
    while (!stop.aborted) {
      const began = performance.now();
      const wait = Math.min(Math.max(0, deadline - began), LONGEST_POLL_MS);
      const messages = await this.#poll(Math.min(max, CAPABILITIES.maxReceive), wait, leaseMs);
      if (messages.length > 0) return messages.map((message) => this.#receipts.deliver(message, began));
      const left = deadline - performance.now();
      if (left <= 0) break;
      if (performance.now() - began < wait / 2) await pause(Math.min(left, REST_MS), stop);
    }
    return [];
  }

  async #poll(max: number, waitMs: number, leaseMs: number): Promise<Message[]> {
    const { Messages = [] } = await this.#queue.ask('ReceiveMessage', (QueueUrl) =>
      this.#client.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: max,
          WaitTimeSeconds: secondsOf(waitMs),
          VisibilityTimeout: secondsOf(leaseMs),
          MessageSystemAttributeNames: ['ApproximateReceiveCount'],
        }),
      ),
    );
    return Messages;
  }
}
