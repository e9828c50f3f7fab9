import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { pause } from '../../clock.ts';
import { ClobiError } from '../../errors.ts';
import type { PutBody } from '../ports.ts';
import { type Bucket, bareEtag } from './bucket.ts';
import { attemptsOf, errorName, statusOf } from './errors.ts';
import { partBytesFor, SINGLE_BYTES } from './parts.ts';

/** Parts of one file in memory at a time. */
const PARTS_AT_ONCE = 3;
/** S3 says "conflict, try again" while another's conditional write to the same key is under way. */
const CONFLICTS = 6;

export interface Put {
  sizeBytes: number;
  etag: string;
}

interface Target {
  Bucket: string;
  Key: string;
  IfNoneMatch?: string;
}

/** Bytes and small files go as one request, large files in parts. Durable when it resolves. */
export async function putObject(bucket: Bucket, key: string, body: PutBody, ifAbsent: boolean): Promise<Put> {
  const target = { ...bucket.at(key), ...(ifAbsent ? { IfNoneMatch: '*' } : {}) };
  for (let conflicts = 1; ; conflicts += 1) {
    try {
      return await putOnce(bucket, target, body);
    } catch (error) {
      if (ifAbsent && statusOf(error) === 412) return await judgeRefusal(bucket, { key, body, error });
      const again = statusOf(error) === 409 && errorName(error) === 'ConditionalRequestConflict';
      if (!again || conflicts === CONFLICTS) throw translate(bucket, key, error);
      await pause(50 * 2 ** conflicts * (0.5 + Math.random()));
    }
  }
}

async function putOnce(bucket: Bucket, target: Target, body: PutBody): Promise<Put> {
  if (typeof body === 'string') return putBytes(bucket, target, Buffer.from(body));
  if (body instanceof Uint8Array) return putBytes(bucket, target, body);
  const file = await open(body.file);
  try {
    const { size } = await file.stat();
    // Through memory, so that it can be sent again.
    if (size <= SINGLE_BYTES) return await putBytes(bucket, target, await file.readFile());
    return await putParts(bucket, target, { file, size });
  } finally {
    await file.close();
  }
}

async function putBytes({ client }: Bucket, target: Target, bytes: Uint8Array): Promise<Put> {
  const { ETag } = await client.send(
    new PutObjectCommand({ ...target, Body: bytes, ContentLength: bytes.length }),
  );
  return { sizeBytes: bytes.length, etag: bareEtag(ETag) };
}

/** When it fails, the parts that went up are removed again. */
async function putParts(
  { client }: Bucket,
  target: Target,
  { file, size }: { file: FileHandle; size: number },
): Promise<Put> {
  const body = Readable.from(exactly(file, size), { objectMode: false, highWaterMark: 0 });
  const params = { ...target, Body: body, ContentLength: size };
  const { Bucket, Key } = target;
  const upload = new Upload({ client, params, partSize: partBytesFor(size), queueSize: PARTS_AT_ONCE });
  const etag = bareEtag((await upload.done()).ETag);
  if (etag !== '') return { sizeBytes: size, etag };
  // Ceph does not say it here.
  const { ETag } = await client.send(new HeadObjectCommand({ Bucket, Key }));
  return { sizeBytes: size, etag: bareEtag(ETag) };
}

/** The file's first `size` bytes; one that shrinks meanwhile ends in an error, not in a shorter object. */
async function* exactly(file: FileHandle, size: number): AsyncGenerator<Buffer> {
  let seen = 0;
  for await (const chunk of file.createReadStream({
    start: 0,
    end: size - 1,
    autoClose: false,
    highWaterMark: 1024 * 1024,
  })) {
    seen += (chunk as Buffer).length;
    yield chunk as Buffer;
  }
  if (seen !== size)
    throw new ClobiError(
      'CONFLICT',
      `The file became shorter while it was uploaded: ${seen} of ${size} bytes.`,
    );
}

/**
 * An object is there already. Where the SDK had to ask more than once, the first answer may have been lost: then it is
 * ours if it holds what we sent.
 */
async function judgeRefusal(bucket: Bucket, refused: Refused): Promise<Put> {
  const { key, body, error } = refused;
  const mayBeOurs = attemptsOf(error) > 1 && (typeof body === 'string' || body instanceof Uint8Array);
  const there = mayBeOurs ? await readBack(bucket, key) : undefined;
  if (mayBeOurs && there?.content.equals(Buffer.from(body)) === true)
    return { sizeBytes: there.content.length, etag: there.etag };
  throw new ClobiError('PRECONDITION_FAILED', `The object "${key}" exists already.`, {
    context: { key },
    cause: error,
  });
}

interface Refused {
  key: string;
  body: PutBody;
  error: unknown;
}

async function readBack(bucket: Bucket, key: string): Promise<{ content: Buffer; etag: string }> {
  return bucket.ask('GetObject', key, async () => {
    const { Body, ETag } = await bucket.client.send(new GetObjectCommand(bucket.at(key)));
    return { content: await buffer(Body as Readable), etag: bareEtag(ETag) };
  });
}

function translate(bucket: Bucket, key: string, error: unknown): ClobiError {
  if (errorName(error) !== 'NoSuchUpload') return bucket.errorOf('PutObject', key, error);
  // The answer to an earlier try was lost, or somebody ended the upload.
  const message = `Whether "${key}" was put is not known: its upload is over already.`;
  return new ClobiError('UNAVAILABLE', message, { context: { key }, cause: error });
}
