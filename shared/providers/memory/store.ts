import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { ClobiError } from '../../errors.ts';
import type {
  GetOptions,
  ObjectInfo,
  ObjectStore,
  PutBody,
  StoreCapabilities,
  StoredObject,
} from '../ports.ts';

const CAPABILITIES: StoreCapabilities = { putIfAbsent: true, presign: false, controlPollMs: 250 };
const LIST_LIMIT = 1_000;

/** An object store of one process, for simulators and unit tests. */
export class MemoryStore implements ObjectStore {
  readonly capabilities = CAPABILITIES;
  readonly #objects = new Map<string, { content: Buffer; etag: string }>();

  async put(key: string, body: PutBody, options: { ifAbsent?: boolean } = {}): Promise<ObjectInfo> {
    const content = await bytesOf(body);
    if (options.ifAbsent === true && this.#objects.has(key)) {
      throw new ClobiError('PRECONDITION_FAILED', `The object "${key}" exists already.`, {
        context: { key },
      });
    }
    const etag = createHash('sha256').update(content).digest('hex');
    this.#objects.set(key, { content, etag });
    return { key, sizeBytes: content.length, etag };
  }

  async get(key: string, { range, ifNoneMatch }: GetOptions = {}): Promise<StoredObject | undefined> {
    const object = this.#objects.get(key);
    if (object === undefined) {
      throw new ClobiError('NOT_FOUND', `There is no object "${key}".`, { context: { key } });
    }
    const { content, etag } = object;
    if (ifNoneMatch === etag) return undefined;
    const part = content.subarray(range?.from ?? 0, (range?.to ?? Infinity) + 1);
    return { key, sizeBytes: content.length, etag, body: Readable.from(part.length === 0 ? [] : [part]) };
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const object = this.#objects.get(key);
    return object && { key, sizeBytes: object.content.length, etag: object.etag };
  }

  async list(prefix: string, after = ''): Promise<ObjectInfo[]> {
    const found = [...this.#objects].filter(([key]) => key.startsWith(prefix) && inByteOrder(after, key) < 0);
    return found
      .sort(([a], [b]) => inByteOrder(a, b))
      .slice(0, LIST_LIMIT)
      .map(([key, { content, etag }]) => ({ key, sizeBytes: content.length, etag }));
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#objects.delete(key);
  }

  async presign(): Promise<undefined> {
    return undefined;
  }
}

const inByteOrder = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** A copy: what the caller does with its bytes later is not our object's affair. */
async function bytesOf(body: PutBody): Promise<Buffer> {
  if (typeof body === 'string') return Buffer.from(body);
  return body instanceof Uint8Array ? Buffer.from(body) : await readFile(body.file);
}
