import { AnonymousCredential, QueueClient, StorageSharedKeyCredential } from '@azure/storage-queue';
import PQueue from 'p-queue';
import { pause } from '../../clock.ts';
import { ClobiError } from '../../errors.ts';
import { checkLease } from '../delivery.ts';
import type { Meter } from '../meter.ts';
import type { Delivery, Queue, QueueCapabilities, ReceiveOptions, SendResult } from '../ports.ts';
import type { CloudUrl } from '../url.ts';
import { endpointOf, wireOptions } from './client.ts';
import type { Access } from './credentials.ts';
import { azureCodeOf, azureError } from './errors.ts';
import { MAX_LEASE_MS, deliverMessage, wholeSeconds } from './lease.ts';
import { encodeBody } from './message-body.ts';
import { pollDelayMs } from './polling.ts';
import { askedOfQueue, type QueueDoing } from './rights.ts';

const CAPABILITIES: QueueCapabilities = {
  // 64 KiB in Base64.
  maxBodyBytes: 48 * 1024,
  maxReceive: 32,
  longPoll: false,
  maxLeaseMs: MAX_LEASE_MS,
};

/** There is no batch send: so many single ones at a time. */
const PARALLEL_SENDS = 16;
/** A request under way when a receive is aborted may have leased something: its answer is waited for, so long. */
const ABORT_GRACE_MS = 3_000;

export const queueClient = (url: CloudUrl, name: string, access: Access, meter: Meter): QueueClient => {
  const address = `${endpointOf(url, 'azure-queue')}/${name}`;
  const options = wireOptions('azure-queue', meter);
  switch (access.kind) {
    case 'key':
      return new QueueClient(address, new StorageSharedKeyCredential(access.account, access.key), options);
    case 'sas':
      return new QueueClient(`${address}?${access.sas}`, new AnonymousCredential(), options);
    case 'token':
      return new QueueClient(address, access.credential, options);
  }
};

/**
 * A queue of Azure Storage. A send or lease whose answer is lost is tried again by the SDK, so a message may be sent twice,
 * and a message may be leased to nobody until that lease ends; its count then tells of a receipt that nobody had.
 */
export class AzureQueue implements Queue {
  readonly capabilities = CAPABILITIES;
  readonly #client: QueueClient;
  readonly #sends = new PQueue({ concurrency: PARALLEL_SENDS });
  readonly #closing = new AbortController();
  readonly #receiving = new Set<Promise<Delivery[]>>();
  /** Looks in a row that found nothing, in whichever receive. */
  #idlePolls = 0;

  constructor(client: QueueClient) {
    this.#client = client;
  }

  async send(bodies: readonly string[]): Promise<SendResult[]> {
    return Promise.all(bodies.map((body) => this.#sends.add(() => this.#sendOne(body))));
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

  /**
   * Exact below 32. Azure's own count takes leased messages in, so that a queue at work would never look empty: only a look
   * at the messages themselves tells.
   */
  async depth(): Promise<number> {
    return this.#ask('count', async () => {
      const { approximateMessagesCount = 0 } = await this.#client.getProperties();
      if (approximateMessagesCount === 0) return 0;
      const { peekedMessageItems } = await this.#client.peekMessages({
        numberOfMessages: CAPABILITIES.maxReceive,
      });
      const seen = peekedMessageItems.length;
      return seen < CAPABILITIES.maxReceive ? seen : Math.max(seen, approximateMessagesCount);
    });
  }

  async ensure(): Promise<void> {
    await this.#ask('make', async () => {
      await this.#client.create().catch((error: unknown) => {
        if (azureCodeOf(error) !== 'QueueAlreadyExists') throw error;
      });
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#receiving);
    await this.#sends.onIdle();
  }

  async #sendOne(body: string): Promise<SendResult> {
    const size = Buffer.byteLength(body);
    try {
      if (size > CAPABILITIES.maxBodyBytes) throw tooLarge(size);
      await this.#ask('send to', () => this.#client.sendMessage(encodeBody(body), { messageTimeToLive: -1 }));
      return { ok: true };
    } catch (error) {
      return { ok: false, retryable: error instanceof ClobiError && error.retryable, cause: error };
    }
  }

  async #receive({ waitMs, signal: wanted, ...options }: ReceiveOptions): Promise<Delivery[]> {
    const signal = AbortSignal.any([this.#closing.signal, ...(wanted === undefined ? [] : [wanted])]);
    const deadline = performance.now() + waitMs;
    while (!signal.aborted) {
      const taken = await this.#take(options, signal);
      if (taken.length > 0) {
        this.#idlePolls = 0;
        return taken;
      }
      const left = deadline - performance.now();
      if (left <= 0) break;
      await pause(Math.min(left, pollDelayMs(this.#idlePolls, Math.random())), signal);
      this.#idlePolls += 1;
    }
    return [];
  }

  async #take(options: { max: number; leaseMs: number }, signal: AbortSignal): Promise<Delivery[]> {
    const seconds = Math.max(1, wholeSeconds(options.leaseMs));
    const leasedAt = performance.now();
    using request = abortAfterGrace(signal);
    try {
      const { receivedMessageItems } = await this.#ask('receive from', () =>
        this.#client.receiveMessages({
          numberOfMessages: Math.min(options.max, CAPABILITIES.maxReceive),
          visibilityTimeout: seconds,
          abortSignal: request.signal,
        }),
      );
      return receivedMessageItems.map((item) =>
        deliverMessage(this.#client, item, leasedAt + seconds * 1_000),
      );
    } catch (error) {
      if (signal.aborted) return [];
      throw error;
    }
  }

  async #ask<T>(doing: QueueDoing, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw azureError(error, askedOfQueue(doing, this.#client.name));
    }
  }
}

const tooLarge = (size: number): ClobiError =>
  new ClobiError(
    'LIMIT_EXCEEDED',
    `A message of ${size} bytes is over the limit of ${CAPABILITIES.maxBodyBytes} bytes of an Azure queue.`,
    { context: { size, limit: CAPABILITIES.maxBodyBytes } },
  );

function abortAfterGrace(signal: AbortSignal): Disposable & { signal: AbortSignal } {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => void (timer = setTimeout(() => abort.abort(), ABORT_GRACE_MS));
  signal.addEventListener('abort', onAbort, { once: true });
  return {
    signal: abort.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    },
  };
}
