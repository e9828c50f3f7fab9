import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import type PQueue from 'p-queue';
import { pause } from '../../shared/clock.ts';
import { ClobiError } from '../../shared/errors.ts';
import type { SignReply, UploadPlanReply } from '../http/uploads.ts';
import type { Client } from './client.ts';
import { openUrl } from './plain-request.ts';
import type { Upload } from './uploads.ts';

export interface DirectOptions {
  client: Client;
  /** Bounds the parts of all files that are under way. */
  parts: PQueue;
  /** Bytes that went out; negative for those of a part that must be sent again. */
  onBytes: (bytes: number) => void;
}

const TRIES = 4;
const FIRST_PAUSE_MS = 500;
/** Parts of one file that wait with their hashes made: hashing must not run far ahead of sending. */
const PARTS_AHEAD = 8;

type Plan = NonNullable<UploadPlanReply['direct']>;

interface Part {
  number: number;
  from: number;
  sizeBytes: number;
}

/**
 * Puts a file into the store itself, in parts, each with its checksum; parts that an earlier call brought are not sent again.
 * False where the store has no such thing. Rejects with `CONFLICT` when the file is not what it was when it was hashed.
 */
export async function uploadDirectly(upload: Upload, options: DirectOptions): Promise<boolean> {
  const { sha256, sizeBytes } = upload;
  const { client } = options;
  const { direct } = await client.post<UploadPlanReply>('/v1/inputs/uploads', { sha256, sizeBytes }, true);
  if (direct === null) return false;
  const found = await sendParts(upload, direct, options);
  if (found !== sha256) {
    await client.post('/v1/inputs/uploads/abandon', { sha256, upload: direct.upload }, true);
    throw new ClobiError('CONFLICT', `${upload.file} has changed since it was looked at. Submit again.`);
  }
  await client.post('/v1/inputs/uploads/finish', { sha256, sizeBytes, upload: direct.upload }, true);
  return true;
}

/** Reads the file once, in order, for the hash of the whole; each part goes out as soon as its own hashes are known. */
async function sendParts(upload: Upload, plan: Plan, options: DirectOptions): Promise<string> {
  const whole = createHash('sha256');
  const there = new Set(plan.done);
  const sending: Promise<void>[] = [];
  let failed: unknown;
  for (const part of partsOf(upload.sizeBytes, plan.partBytes)) {
    const own = await hashPart(upload.file, part, whole);
    if (failed !== undefined) break;
    const isLast = part.from + part.sizeBytes >= upload.sizeBytes;
    // The last part may make the object: it must not go out when the whole is not what it should be.
    if (isLast && whole.copy().digest('hex') !== upload.sha256) break;
    if (there.has(part.number)) {
      options.onBytes(part.sizeBytes);
      continue;
    }
    const sent = options.parts.add(() => sendPart({ upload, plan, part, own }, options));
    sending.push(sent.catch((error: unknown) => void (failed ??= error)));
    await options.parts.onSizeLessThan(PARTS_AHEAD);
  }
  await Promise.all(sending);
  if (failed !== undefined) throw failed as Error;
  return whole.digest('hex');
}

function* partsOf(sizeBytes: number, partBytes: number): Generator<Part> {
  for (let number = 1, from = 0; from < sizeBytes || number === 1; number += 1, from += partBytes)
    yield { number, from, sizeBytes: Math.min(partBytes, sizeBytes - from) };
}

interface PartHashes {
  sha256: string;
  md5: string;
}

const read = (file: string, { from, sizeBytes }: Part) =>
  createReadStream(file, { start: from, end: from + sizeBytes - 1, highWaterMark: 256 * 1024 });

async function hashPart(file: string, part: Part, whole: Hash): Promise<PartHashes> {
  const [sha256, md5] = [createHash('sha256'), createHash('md5')];
  if (part.sizeBytes > 0)
    for await (const chunk of read(file, part))
      for (const hash of [whole, sha256, md5]) hash.update(chunk as Buffer);
  return { sha256: sha256.digest('hex'), md5: md5.digest('base64') };
}

interface PartToSend {
  upload: Upload;
  plan: Plan;
  part: Part;
  own: PartHashes;
}

async function sendPart(to: PartToSend, options: DirectOptions): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    let sent = 0;
    const onBytes = (bytes: number): void => {
      sent += bytes;
      options.onBytes(bytes);
    };
    try {
      await sendOnce(to, options.client, onBytes);
      return;
    } catch (error) {
      options.onBytes(-sent);
      if (attempt === TRIES || !(error instanceof ClobiError) || !error.retryable) throw error;
      await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
    }
  }
}

/** Signed anew each time: the first signature may have run out meanwhile. */
async function sendOnce(
  { upload, plan, part, own }: PartToSend,
  client: Client,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { requests } = await client.post<SignReply>(
    '/v1/inputs/uploads/sign',
    { sha256: upload.sha256, upload: plan.upload, parts: [{ number: part.number, ...own }] },
    true,
  );
  const [signed] = requests;
  if (signed === undefined) throw new ClobiError('INTERNAL', 'The coordinator signed nothing.');
  const answer = await openUrl({
    ...signed,
    headers: { ...signed.headers, 'content-length': part.sizeBytes },
    ...(part.sizeBytes > 0 && { body: () => read(upload.file, part).pipe(counter(onBytes)) }),
  });
  const said = await text(answer);
  const status = answer.statusCode ?? 0;
  if (status >= 200 && status < 300) return;
  const reason = /<(?:Code|Message)>([^<]{1,200})/.exec(said)?.[1] ?? said.slice(0, 200);
  throw new ClobiError('UNAVAILABLE', `The store answered with HTTP status ${status}: ${reason}`);
}

const counter = (onBytes: (bytes: number) => void): Transform =>
  new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
