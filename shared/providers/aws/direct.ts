import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type ListPartsCommandOutput,
  type MultipartUpload,
  type Part,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { ClobiError } from '../../errors.ts';
import type { DirectUploads, PartToSign, SignedRequest, UploadPlan } from '../direct.ts';
import type { Bucket } from './bucket.ts';
import { errorName } from './errors.ts';
import { partBytesFor, partCountOf, SINGLE_BYTES, sizeOfPart } from './parts.ts';
import { refuseDots } from './presign.ts';
import { signUpload } from './sign-upload.ts';

/** The name of an upload that is one request: there is nothing to begin. */
const SINGLE = 'single';

type Begun = Pick<UploadPlan, 'key' | 'upload'>;

/**
 * Uploads by presigned URLs. A small object is one PutObject, a larger one an upload in parts. The hash of each part is
 * signed, so that S3 takes these bytes and no others.
 */
export class S3DirectUploads implements DirectUploads {
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  async begin(key: string, sizeBytes: number): Promise<UploadPlan> {
    refuseDots(this.#bucket.at(key).Key);
    const plan = { key, sizeBytes, partBytes: partBytesFor(sizeBytes) };
    if (sizeBytes <= SINGLE_BYTES) return { ...plan, upload: SINGLE, done: [] };
    const begun = await this.#findBegun(key);
    if (begun === undefined) return { ...plan, upload: await this.#create(key), done: [] };
    const parts = await this.#parts({ key, upload: begun });
    if (parts === undefined) return { ...plan, upload: await this.#create(key), done: [] };
    const whole = parts.filter((part) => isWhole(part, sizeBytes));
    return { ...plan, upload: begun, done: whole.map(({ PartNumber = 0 }) => PartNumber) };
  }

  async sign(
    { key, upload }: Begun,
    parts: readonly PartToSign[],
    expiresMs: number,
  ): Promise<SignedRequest[]> {
    const at = this.#bucket.at(key);
    return Promise.all(
      parts.map((part) => {
        const command =
          upload === SINGLE
            ? new PutObjectCommand({ ...at, ContentMD5: part.md5 })
            : new UploadPartCommand({
                ...at,
                UploadId: upload,
                PartNumber: part.number,
                ContentMD5: part.md5,
              });
        const operation = upload === SINGLE ? 'PutObject' : 'UploadPart';
        return this.#bucket.ask(operation, key, () =>
          signUpload(this.#bucket.client, command, { sha256: part.sha256, expiresMs }),
        );
      }),
    );
  }

  async finish({ key, upload, sizeBytes }: Begun & Pick<UploadPlan, 'sizeBytes'>): Promise<void> {
    const parts = upload === SINGLE ? undefined : await this.#parts({ key, upload });
    // The upload is over: either it was one request, or it was finished before.
    if (parts === undefined) return this.#checkThere(key, sizeBytes);
    const numbers = Array.from({ length: partCountOf(sizeBytes) }, (_, i) => i + 1);
    const whole = new Map(
      parts.filter((part) => isWhole(part, sizeBytes)).map((part) => [part.PartNumber, part]),
    );
    const missing = numbers.filter((number) => !whole.has(number));
    if (missing.length > 0) throw incomplete(key, `part ${missing.slice(0, 5).join(', ')} is missing`);
    const Parts = numbers.map((PartNumber) => ({ PartNumber, ETag: whole.get(PartNumber)?.ETag }));
    try {
      await this.#bucket.client.send(
        new CompleteMultipartUploadCommand({
          ...this.#bucket.at(key),
          UploadId: upload,
          MultipartUpload: { Parts },
        }),
      );
    } catch (error) {
      if (isOver(error)) return this.#checkThere(key, sizeBytes);
      throw this.#bucket.errorOf('CompleteMultipartUpload', key, error);
    }
  }

  async abandon({ key, upload }: Begun): Promise<void> {
    if (upload === SINGLE) return;
    const at = this.#bucket.at(key);
    try {
      await this.#bucket.client.send(new AbortMultipartUploadCommand({ ...at, UploadId: upload }));
    } catch (error) {
      if (!isOver(error)) throw this.#bucket.errorOf('AbortMultipartUpload', key, error);
    }
  }

  async #create(key: string): Promise<string> {
    const at = this.#bucket.at(key);
    const { UploadId = '' } = await this.#bucket.ask('CreateMultipartUpload', key, () =>
      this.#bucket.client.send(new CreateMultipartUploadCommand(at)),
    );
    return UploadId;
  }

  /** The latest upload to this key that was begun and not ended. */
  async #findBegun(key: string): Promise<string | undefined> {
    const { Bucket, Key } = this.#bucket.at(key);
    const { Uploads = [] } = await this.#bucket.ask('ListMultipartUploads', key, () =>
      this.#bucket.client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: Key })),
    );
    const time = ({ Initiated }: MultipartUpload): number => Initiated?.getTime() ?? 0;
    const ours = Uploads.filter((upload) => upload.Key === Key).sort((a, b) => time(b) - time(a));
    return ours[0]?.UploadId;
  }

  /** Undefined when there is no such upload any more. */
  async #parts({ key, upload }: Begun): Promise<Part[] | undefined> {
    const parts: Part[] = [];
    try {
      // By hand: the SDK's paginator goes on for ever where a server names a next page that it says is not there.
      for (let page: ListPartsCommandOutput | undefined; page?.IsTruncated ?? true; ) {
        const after = page?.NextPartNumberMarker;
        const input = { ...this.#bucket.at(key), UploadId: upload };
        page = await this.#bucket.client.send(
          new ListPartsCommand(after === undefined ? input : { ...input, PartNumberMarker: after }),
        );
        parts.push(...(page.Parts ?? []));
      }
      return parts;
    } catch (error) {
      if (isOver(error)) return undefined;
      throw this.#bucket.errorOf('ListParts', key, error);
    }
  }

  async #checkThere(key: string, sizeBytes: number): Promise<void> {
    try {
      const { ContentLength } = await this.#bucket.client.send(new HeadObjectCommand(this.#bucket.at(key)));
      if (ContentLength === sizeBytes) return;
      throw incomplete(key, `the object has ${String(ContentLength)} of ${sizeBytes} bytes`);
    } catch (error) {
      const known = this.#bucket.errorOf('HeadObject', key, error);
      throw known.code === 'NOT_FOUND' ? incomplete(key, 'nothing was uploaded') : known;
    }
  }
}

/** There is no such upload any more. Ceph calls it by another name than S3. */
const isOver = (error: unknown): boolean => /^NoSuch(Upload|Key)$/.test(errorName(error));

const isWhole = ({ PartNumber = 0, Size }: Part, sizeBytes: number): boolean =>
  PartNumber <= partCountOf(sizeBytes) && Size === sizeOfPart(PartNumber, sizeBytes);

const incomplete = (key: string, why: string): ClobiError =>
  new ClobiError('CONFLICT', `The upload of "${key}" is not complete: ${why}.`, { context: { key } });
