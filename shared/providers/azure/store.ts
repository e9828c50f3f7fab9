import type { BlobClient, BlobItem, BlockBlobClient } from '@azure/storage-blob';
import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import PQueue from 'p-queue';
import type { DirectUploads } from '../direct.ts';
import type { Meter } from '../meter.ts';
import type {
  GetOptions,
  ObjectInfo,
  ObjectStore,
  PutBody,
  StoreCapabilities,
  StoredObject,
} from '../ports.ts';
import type { CloudUrl } from '../url.ts';
import { type Place, placeOf } from './blob-client.ts';
import { keyOfName, nameOfKey, namePrefixOf } from './blob-names.ts';
import type { Access } from './credentials.ts';
import { BlobUploads, blockBytesFor } from './direct.ts';
import { bareEtag, download } from './download.ts';
import { azureCodeOf, azureError } from './errors.ts';
import { type BlobDoing, askedOfBlob } from './rights.ts';
import { type Signer, signerOf } from './signer.ts';

const LIST_LIMIT = 1_000;
const BATCH_LIMIT = 256;
/** A file up to this size goes in one request, a larger one in blocks, so many at a time. */
const SINGLE_SHOT_BYTES = 16 * 1024 * 1024;
const PARALLEL_BLOCKS = 4;
const PARALLEL_REMOVALS = 16;

export function openBlobStore(url: CloudUrl, access: Access, meter: Meter): BlobStore {
  const place = placeOf(url, access, meter);
  return new BlobStore(place, signerOf(place, access));
}

/**
 * Blobs of one container as objects, below a prefix. Listings are in byte order but for keys that blob-names.ts has to
 * escape, and for letters beyond U+FFFF, whose order is Azure's; paging by the last key passes over none of them.
 */
class BlobStore implements ObjectStore {
  readonly capabilities: StoreCapabilities;
  readonly direct?: DirectUploads;
  readonly #place: Place;
  readonly #signer: Signer | undefined;

  constructor(place: Place, signer: Signer | undefined) {
    this.#place = place;
    this.#signer = signer;
    this.capabilities = { putIfAbsent: true, presign: signer !== undefined, controlPollMs: 5_000 };
    if (signer !== undefined) this.direct = new BlobUploads((key) => this.#blob(key), signer);
  }

  async put(key: string, body: PutBody, options: { ifAbsent?: boolean } = {}): Promise<ObjectInfo> {
    const blob = this.#blob(key);
    return this.#ask('write', key, () =>
      options.ifAbsent === true ? putIfAbsent(blob, key, body) : upload(blob, key, body, {}),
    );
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    const translate = (error: unknown): Error => azureError(error, askedOfBlob('read', `the object ${key}`));
    return this.#ask('read', key, () => download(this.#blob(key), key, options, translate));
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    return this.#ask('read', key, async () => {
      try {
        const { contentLength = 0, etag } = await this.#blob(key).getProperties();
        return { key, sizeBytes: contentLength, etag: bareEtag(etag) };
      } catch (error) {
        if (azureCodeOf(error) === 'BlobNotFound') return undefined;
        throw error;
      }
    });
  }

  async list(prefix: string, after = ''): Promise<ObjectInfo[]> {
    const namePrefix = namePrefixOf(this.#place.prefix + prefix);
    const last = after === '' ? '' : nameOfKey(this.#place.prefix + after);
    const isWithin = last.startsWith(namePrefix);
    if (!isWithin && last > namePrefix) return [];
    // `startFrom` includes its name; one more than we give makes up for it.
    const pages = this.#place.container
      .listBlobsFlat({ prefix: namePrefix, ...(isWithin && last !== '' ? { startFrom: last } : {}) })
      .byPage({ maxPageSize: LIST_LIMIT + 1 });
    return this.#ask('list', prefix, async () => {
      const found: ObjectInfo[] = [];
      for await (const { segment } of pages) {
        const fresh = segment.blobItems.filter(({ name }) => name !== last);
        found.push(
          ...fresh.flatMap((item) => this.#infoOf(item)).filter(({ key }) => key.startsWith(prefix)),
        );
        if (found.length >= LIST_LIMIT) break;
      }
      return found.slice(0, LIST_LIMIT);
    });
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += BATCH_LIMIT) {
      const some = keys.slice(at, at + BATCH_LIMIT);
      const blobs = some.map((key) => this.#blob(key));
      await this.#ask('remove', some[0] ?? '', () =>
        // A SAS need not cover what a batch asks of the container.
        this.#signer === undefined ? removeSingly(blobs) : this.#removeBatch(blobs),
      );
    }
  }

  /** Who puts must send the header `x-ms-blob-type: BlockBlob`. */
  async presign(method: 'get' | 'put', key: string, expiresMs: number): Promise<string | undefined> {
    return this.#signer?.sign(this.#blob(key).name, method === 'get' ? 'r' : 'cw', expiresMs);
  }

  async #removeBatch(blobs: BlobClient[]): Promise<void> {
    const { subResponses } = await this.#place.container.getBlobBatchClient().deleteBlobs(blobs);
    const failed = subResponses.find(({ status }) => status >= 300 && status !== 404);
    if (failed === undefined) return;
    const { status, statusMessage, errorCode } = failed;
    throw Object.assign(new Error(statusMessage), { statusCode: status, code: errorCode ?? '' });
  }

  #infoOf({ name, properties }: BlobItem): ObjectInfo[] {
    const key = keyOfName(name);
    if (key === undefined) return [];
    const { contentLength = 0, etag } = properties;
    return [{ key: key.slice(this.#place.prefix.length), sizeBytes: contentLength, etag: bareEtag(etag) }];
  }

  #blob(key: string): BlockBlobClient {
    if (key === '') nameOfKey(key);
    return this.#place.container.getBlockBlobClient(nameOfKey(this.#place.prefix + key));
  }

  async #ask<T>(doing: BlobDoing, key: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      const objects = doing === 'list' ? `objects below "${key}"` : `the object ${key}`;
      const container = `the container ${this.#place.container.containerName}`;
      throw azureError(error, askedOfBlob(doing, `${objects} of ${container}`));
    }
  }
}

async function removeSingly(blobs: readonly BlobClient[]): Promise<void> {
  const removals = new PQueue({ concurrency: PARALLEL_REMOVALS });
  await removals.addAll(blobs.map((blob) => () => blob.deleteIfExists()));
}

interface Conditions {
  conditions?: { ifNoneMatch: string };
  metadata?: Record<string, string>;
}

async function upload(
  blob: BlockBlobClient,
  key: string,
  body: PutBody,
  when: Conditions,
): Promise<ObjectInfo> {
  const options = { ...when, blobHTTPHeaders: { blobContentType: 'application/octet-stream' } };
  if (typeof body === 'object' && 'file' in body) {
    const { size } = await stat(body.file);
    const { etag } = await blob.uploadFile(body.file, {
      ...options,
      maxSingleShotSize: SINGLE_SHOT_BYTES,
      blockSize: blockBytesFor(size),
      concurrency: PARALLEL_BLOCKS,
    });
    return { key, sizeBytes: size, etag: bareEtag(etag) };
  }
  const bytes = Buffer.from(body);
  const { etag } = await blob.upload(bytes, bytes.length, options);
  return { key, sizeBytes: bytes.length, etag: bareEtag(etag) };
}

/**
 * When the answer to a put that worked is lost, the SDK asks again and is told that the blob exists: by a mark in its
 * metadata we see that it is ours.
 */
async function putIfAbsent(blob: BlockBlobClient, key: string, body: PutBody): Promise<ObjectInfo> {
  const writer = randomUUID();
  try {
    return await upload(blob, key, body, { conditions: { ifNoneMatch: '*' }, metadata: { writer } });
  } catch (error) {
    if (azureCodeOf(error) !== 'BlobAlreadyExists') throw error;
    const { metadata, contentLength = 0, etag } = await blob.getProperties();
    if (metadata?.['writer'] !== writer) throw error;
    return { key, sizeBytes: contentLength, etag: bareEtag(etag) };
  }
}
