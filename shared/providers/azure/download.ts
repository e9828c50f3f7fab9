import type { BlobDownloadResponseParsed, BlockBlobClient } from '@azure/storage-blob';
import { PassThrough, Readable } from 'node:stream';
import type { GetOptions, StoredObject } from '../ports.ts';
import { azureCodeOf } from './errors.ts';

/** Undefined where the object has the ETag of `ifNoneMatch`. `translate` is applied to errors of the stream too. */
export async function download(
  blob: BlockBlobClient,
  key: string,
  { range, ifNoneMatch }: GetOptions,
  translate: (error: unknown) => Error,
): Promise<StoredObject | undefined> {
  const count = range?.to === undefined ? undefined : range.to - range.from + 1;
  try {
    const response = await blob.download(range?.from ?? 0, count, {
      // Whoever reads begins anew: the SDK takes up only some of the downloads that break.
      maxRetryRequests: 0,
      ...(ifNoneMatch === undefined ? {} : { conditions: { ifNoneMatch: `"${ifNoneMatch}"` } }),
    });
    const etag = bareEtag(response.etag);
    return { key, sizeBytes: sizeOf(response), etag, body: bodyOf(response.readableStreamBody, translate) };
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 304) return undefined;
    // Azure refuses a range behind the end, as each one of an empty blob is.
    if (azureCodeOf(error) !== 'InvalidRange') throw error;
    const { contentLength = 0, etag } = await blob.getProperties();
    return { key, sizeBytes: contentLength, etag: bareEtag(etag), body: Readable.from([]) };
  }
}

/** Headers have quotes around it, listings have none. */
export const bareEtag = (etag: string | undefined): string => (etag ?? '').replaceAll('"', '');

/** Of the whole object: `bytes 2-4/10` says 10. */
function sizeOf({ contentRange, contentLength = 0 }: BlobDownloadResponseParsed): number {
  const whole = contentRange?.split('/')[1];
  return whole === undefined ? contentLength : Number(whole);
}

/** The same bytes, with errors we know. A stream that ends has given all its bytes: the SDK counts them. */
function bodyOf(source: NodeJS.ReadableStream | undefined, translate: (error: unknown) => Error): Readable {
  if (!(source instanceof Readable)) return Readable.from([]);
  const body = new PassThrough();
  source.on('error', (error) => body.destroy(translate(broken(error))));
  body.on('close', () => source.destroy());
  return source.pipe(body);
}

/** The SDK calls it aborted, or corrupt, when the connection breaks before all bytes are here. */
const broken = (cause: Error): Error =>
  Object.assign(new Error('the connection broke', { cause }), { code: 'ECONNRESET' });
