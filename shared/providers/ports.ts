import type { Readable } from 'node:stream';
import type { DirectUploads } from './direct.ts';

/**
 * What a provider must give (DESIGN §5). Policy lives above: an adapter translates and nothing else.
 * Only "not found" and "precondition failed" are translated; every other error keeps its cause.
 */
export interface Queue {
  readonly capabilities: QueueCapabilities;
  /** Sends up to any number of bodies. A result per body, in order: one may fail while its neighbours are sent. */
  send(bodies: readonly string[]): Promise<SendResult[]>;
  /** Waits up to `waitMs` for at least one message. An aborted one swallows nothing: what it leased already is still returned. */
  receive(options: ReceiveOptions): Promise<Delivery[]>;
  /** Approximate: messages waiting (not leased). */
  depth(): Promise<number>;
  /** Creates the queue where it is missing; says what it did. */
  ensure(): Promise<void>;
  close(): Promise<void>;
}

export interface QueueCapabilities {
  /** Largest raw body in bytes. */
  maxBodyBytes: number;
  maxReceive: number;
  /** True where an empty receive waits on the server. False: the caller polls with jittered backoff. */
  longPoll: boolean;
  maxLeaseMs: number;
}

export type SendResult = { ok: true } | { ok: false; retryable: boolean; cause: unknown };

export interface ReceiveOptions {
  max: number;
  waitMs: number;
  /** How long a received message stays hidden from others unless extended. */
  leaseMs: number;
  signal?: AbortSignal;
}

/** One received message. Hides and rotates its own receipt; calls on one delivery never overlap. */
export interface Delivery {
  readonly body: string;
  /** 1 on first receipt. A count above 1 does not prove that anyone began the work, nor 1 that nobody did. */
  readonly receiveCount: number;
  /** Renews the lease; rejects with code `LEASE_LOST` when the message went to somebody else. */
  extend(leaseMs: number): Promise<void>;
  /** Deletes the message; `LEASE_LOST` as above, the message then stays somebody else's. Idempotent. */
  done(): Promise<void>;
}

export interface ObjectStore {
  readonly capabilities: StoreCapabilities;
  /** Uploads without credentials, where the store has them. */
  readonly direct?: DirectUploads | undefined;
  /** Durable when it resolves. With `ifAbsent` an existing key rejects with `PRECONDITION_FAILED`. */
  put(key: string, body: PutBody, options?: { ifAbsent?: boolean }): Promise<ObjectInfo>;
  /** Rejects with `NOT_FOUND`; returns undefined when `ifNoneMatch` equals the current ETag. */
  get(key: string, options?: GetOptions): Promise<StoredObject | undefined>;
  head(key: string): Promise<ObjectInfo | undefined>;
  /** Keys with the prefix, in byte order, strictly after `after`; at most 1,000 a call. */
  list(prefix: string, after?: string): Promise<ObjectInfo[]>;
  /** Removing what is not there is no error. */
  remove(keys: readonly string[]): Promise<void>;
  /** A URL that anyone may use until it expires; undefined where the store has no such thing (local files). */
  presign(method: 'get' | 'put', key: string, expiresMs: number): Promise<string | undefined>;
}

export interface StoreCapabilities {
  putIfAbsent: boolean;
  presign: boolean;
  /** How often an agent may ask for the control document, in ms. */
  controlPollMs: number;
}

/** Bytes in memory, or a file on this machine to be streamed. */
export type PutBody = Uint8Array | string | { file: string };

export interface GetOptions {
  /** Inclusive byte positions. */
  range?: { from: number; to?: number };
  ifNoneMatch?: string;
}

export interface ObjectInfo {
  key: string;
  sizeBytes: number;
  etag: string;
}

export interface StoredObject extends ObjectInfo {
  body: Readable;
}
