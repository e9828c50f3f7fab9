import type { BlockBlobClient, Block } from '@azure/storage-blob';
import { ClobiError } from '../../errors.ts';
import type { DirectUploads, PartToSign, SignedRequest, UploadPlan } from '../direct.ts';
import { azureCodeOf, azureError } from './errors.ts';
import { type BlobDoing, askedOfBlob } from './rights.ts';
import type { Signer } from './signer.ts';

const MAX_BLOCKS = 50_000;
const MIB = 1024 * 1024;
const USUAL_BLOCK_BYTES = 8 * MIB;

/** Size of all blocks but the last. */
export const blockBytesFor = (sizeBytes: number): number =>
  Math.max(USUAL_BLOCK_BYTES, Math.ceil(sizeBytes / MAX_BLOCKS / MIB) * MIB);

/**
 * Uploads in blocks, which Azure keeps beside the blob until they are committed, or for a week. A block's name is the upload's
 * and its number, and the upload's name is the object's size: so an upload begun anew finds what came before.
 *
 * The store compares each block with its Content-MD5. That header is no part of what a SAS signs: it finds errors of the
 * transfer, and does not keep a holder of the URL from sending other bytes without it.
 */
export class BlobUploads implements DirectUploads {
  readonly #blobOf: (key: string) => BlockBlobClient;
  readonly #signer: Signer;

  constructor(blobOf: (key: string) => BlockBlobClient, signer: Signer) {
    this.#blobOf = blobOf;
    this.#signer = signer;
  }

  async begin(key: string, sizeBytes: number): Promise<UploadPlan> {
    const upload = String(sizeBytes);
    const blocks = await this.#blocks(key, 'uncommitted');
    const done = partsOf(sizeBytes)
      .filter(({ number, bytes }) => blocks.get(blockName(upload, number)) === bytes)
      .map(({ number }) => number);
    return { key, sizeBytes, upload, partBytes: blockBytesFor(sizeBytes), done };
  }

  async sign(
    { key, upload }: Pick<UploadPlan, 'key' | 'upload'>,
    parts: readonly PartToSign[],
    expiresMs: number,
  ): Promise<SignedRequest[]> {
    const url = await this.#ask('write', key, () =>
      this.#signer.sign(this.#blobOf(key).name, 'cw', expiresMs),
    );
    return parts.map(({ number, md5 }) => requestFor(url, upload, number, md5));
  }

  async finish({ key, upload, sizeBytes }: Pick<UploadPlan, 'key' | 'upload' | 'sizeBytes'>): Promise<void> {
    if (sizeBytes === 0) return this.#checkEmpty(key);
    const blocks = await this.#blocks(key, 'all');
    const parts = partsOf(sizeBytes).map(({ number, bytes }) => ({
      name: blockName(upload, number),
      bytes,
      number,
    }));
    const missing = parts.filter(({ name, bytes }) => blocks.get(name) !== bytes);
    if (missing.length > 0)
      throw incomplete(
        key,
        missing.map(({ number }) => number),
      );
    // Each name stands for its uncommitted block, or the committed one: doing it again makes the same object.
    await this.#ask('write', key, () =>
      this.#blobOf(key).commitBlockList(
        parts.map(({ name }) => name),
        { blobHTTPHeaders: { blobContentType: 'application/octet-stream' } },
      ),
    );
  }

  /** Azure forgets uncommitted blocks by itself, a week after the last of them. */
  async abandon(): Promise<void> {
    return Promise.resolve();
  }

  /** An empty object has no block: its one part is the object itself. */
  async #checkEmpty(key: string): Promise<void> {
    const found = await this.#ask('read', key, async () => {
      try {
        return await this.#blobOf(key).getProperties();
      } catch (error) {
        if (azureCodeOf(error) === 'BlobNotFound') return undefined;
        throw error;
      }
    });
    if (found?.contentLength !== 0) throw incomplete(key, [1]);
  }

  /** Names and sizes of the blocks at the key; an uncommitted one wins over a committed one of the same name, as in a commit. */
  async #blocks(key: string, which: 'uncommitted' | 'all'): Promise<Map<string, number>> {
    return this.#ask('read', key, async () => {
      try {
        const { committedBlocks = [], uncommittedBlocks = [] } = await this.#blobOf(key).getBlockList(which);
        return new Map(
          [...committedBlocks, ...uncommittedBlocks].map((block: Block) => [block.name, block.size]),
        );
      } catch (error) {
        if (azureCodeOf(error) === 'BlobNotFound') return new Map<string, number>();
        throw error;
      }
    });
  }

  async #ask<T>(doing: BlobDoing, key: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw azureError(error, askedOfBlob(doing, `the object ${key}`));
    }
  }
}

/** Number (from 1) and size of each part. */
function partsOf(sizeBytes: number): { number: number; bytes: number }[] {
  const partBytes = blockBytesFor(sizeBytes);
  return Array.from({ length: Math.ceil(sizeBytes / partBytes) }, (_, n) => ({
    number: n + 1,
    bytes: Math.min(partBytes, sizeBytes - n * partBytes),
  }));
}

/** Azure wants names of one length at a blob, in Base64. */
const blockName = (upload: string, number: number): string =>
  Buffer.from(`clobi-${upload.padStart(16, '0')}-${String(number).padStart(5, '0')}`).toString('base64');

function requestFor(url: string, upload: string, number: number, md5: string): SignedRequest {
  if (upload === '0')
    return { method: 'PUT', url, headers: { 'x-ms-blob-type': 'BlockBlob', 'content-md5': md5 } };
  const block = new URLSearchParams({ comp: 'block', blockid: blockName(upload, number) });
  return { method: 'PUT', url: `${url}&${block.toString()}`, headers: { 'content-md5': md5 } };
}

const incomplete = (key: string, parts: readonly number[]): ClobiError =>
  new ClobiError(
    'CONFLICT',
    `The upload of ${key} is not complete: part${parts.length === 1 ? '' : 's'} ${parts.slice(0, 10).join(', ')}${parts.length > 10 ? ` and ${parts.length - 10} more` : ''} missing or of another size.`,
    { context: { key, parts } },
  );
