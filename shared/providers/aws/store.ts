import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import { ClobiError, isCode } from '../../errors.ts';
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
import { wholeBody } from './body.ts';
import { Bucket, bareEtag } from './bucket.ts';
import { S3DirectUploads } from './direct.ts';
import { entryError, errorName, statusOf } from './errors.ts';
import { presign } from './presign.ts';
import { s3Client } from './s3-client.ts';
import { putObject } from './upload.ts';

const PAGE = 1_000;

/** A bucket of S3, or of a server that speaks its protocol, below a prefix. Puts, gets and lists are consistent at once. */
export class S3Store implements ObjectStore {
  readonly capabilities: StoreCapabilities;
  readonly direct: DirectUploads;
  readonly #bucket: Bucket;

  private constructor(bucket: Bucket) {
    this.#bucket = bucket;
    this.direct = new S3DirectUploads(bucket);
    this.capabilities = { putIfAbsent: bucket.isAws, presign: true, controlPollMs: 5_000 };
  }

  static open(url: CloudUrl, meter: Meter): S3Store {
    return new S3Store(new Bucket(s3Client(url, meter), url));
  }

  async put(
    key: string,
    body: PutBody,
    { ifAbsent = false }: { ifAbsent?: boolean } = {},
  ): Promise<ObjectInfo> {
    // Another's server may well ignore the condition. Between this look and the put somebody else may come.
    if (ifAbsent && !this.capabilities.putIfAbsent && (await this.head(key)) !== undefined)
      throw new ClobiError('PRECONDITION_FAILED', `The object "${key}" exists already.`, {
        context: { key },
      });
    return { key, ...(await putObject(this.#bucket, key, body, ifAbsent)) };
  }

  async get(key: string, { range, ifNoneMatch }: GetOptions = {}): Promise<StoredObject | undefined> {
    const at = this.#bucket.at(key);
    try {
      const { Body, ETag, ContentLength, ContentRange } = await this.#bucket.client.send(
        new GetObjectCommand({
          ...at,
          ...(range === undefined ? {} : { Range: `bytes=${range.from}-${range.to ?? ''}` }),
          ...(ifNoneMatch === undefined ? {} : { IfNoneMatch: `"${ifNoneMatch}"` }),
        }),
      );
      const etag = bareEtag(ETag);
      const body = wholeBody(Body, ContentLength, (error) => this.#bucket.errorOf('GetObject', key, error));
      if (etag === ifNoneMatch) {
        body.destroy();
        return undefined;
      }
      const total = /\/(\d+)$/.exec(ContentRange ?? '')?.[1];
      return { key, sizeBytes: Number(total ?? ContentLength ?? 0), etag, body };
    } catch (error) {
      if (statusOf(error) === 304) return undefined;
      if (range !== undefined && errorName(error) === 'InvalidRange')
        return this.#nothingOf(key, ifNoneMatch);
      throw this.#bucket.errorOf('GetObject', key, error);
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const at = this.#bucket.at(key);
    try {
      return await this.#bucket.ask('HeadObject', key, async () => {
        const { ETag, ContentLength = 0 } = await this.#bucket.client.send(new HeadObjectCommand(at));
        return { key, sizeBytes: ContentLength, etag: bareEtag(ETag) };
      });
    } catch (error) {
      // A HEAD has no body to say whether it is the object or the bucket that is missing.
      if (isCode(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async list(prefix: string, after = ''): Promise<ObjectInfo[]> {
    const bucket = this.#bucket;
    const { Contents = [] } = await bucket.ask('ListObjectsV2', undefined, () =>
      bucket.client.send(
        new ListObjectsV2Command({
          Bucket: bucket.name,
          Prefix: bucket.prefix + prefix,
          MaxKeys: PAGE,
          ...(after === '' ? {} : { StartAfter: bucket.prefix + after }),
        }),
      ),
    );
    return Contents.map(({ Key = '', Size = 0, ETag }) => ({
      key: bucket.own(Key),
      sizeBytes: Size,
      etag: bareEtag(ETag),
    }));
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += PAGE) {
      const page = keys.slice(from, from + PAGE);
      await (page.length > 1 ? this.#removeMany(page) : this.#removeOne(page[0] ?? ''));
    }
  }

  async presign(method: 'get' | 'put', key: string, expiresMs: number): Promise<string> {
    return presign(this.#bucket, method, key, expiresMs);
  }

  /** The range is behind the end of the object. */
  async #nothingOf(key: string, ifNoneMatch: string | undefined): Promise<StoredObject | undefined> {
    const info = await this.head(key);
    if (info === undefined)
      throw new ClobiError('NOT_FOUND', `There is no object "${key}".`, { context: { key } });
    if (info.etag === ifNoneMatch) return undefined;
    return { ...info, body: wholeBody(undefined, 0, () => new ClobiError('INTERNAL', 'nothing was read')) };
  }

  async #removeOne(key: string): Promise<void> {
    const at = this.#bucket.at(key);
    await this.#bucket.ask('DeleteObject', key, () => this.#bucket.client.send(new DeleteObjectCommand(at)));
  }

  /** All that can be removed is; then rejects with the first failure of a key. */
  async #removeMany(keys: readonly string[]): Promise<void> {
    const bucket = this.#bucket;
    const Objects = keys.map((key) => ({ Key: bucket.at(key).Key }));
    const { Errors = [] } = await bucket.ask('DeleteObjects', undefined, () =>
      bucket.client.send(new DeleteObjectsCommand({ Bucket: bucket.name, Delete: { Objects, Quiet: true } })),
    );
    const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey');
    if (failed === undefined) return;
    const denied = failed.Code === 'AccessDenied';
    throw bucket.errorOf(
      'DeleteObjects',
      bucket.own(failed.Key ?? ''),
      entryError({ ...failed, SenderFault: denied }),
    );
  }
}
