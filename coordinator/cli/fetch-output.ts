import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ClobiError } from '../../shared/errors.ts';
import type { OutputView } from '../http/api.ts';
import type { Client } from './client.ts';
import { openUrl } from './plain-request.ts';

export interface FetchOptions {
  client: Client;
  /** `store`: from the store itself where it has URLs for that. */
  via: 'store' | 'coordinator';
  signal?: AbortSignal | undefined;
  onBytes?: (bytes: number) => void;
}

/** What is smaller is fetched anew: leaving pieces of it about would be worse than the time. */
const WORTH_KEEPING_BYTES = 1024 * 1024;

/**
 * Brings one output to its place. Written beside it and renamed only when the hash is right: a file under its own name is
 * whole. A piece that an interruption left, in this call or an earlier one, is gone on with.
 */
export async function fetchOutput(output: OutputView, file: string, options: FetchOptions): Promise<void> {
  const part = `${file}.${output.sha256.slice(0, 12)}.clobi-part`;
  try {
    const { hash, bytes } = await hashPart(part, output.sizeBytes);
    if (bytes < output.sizeBytes || bytes === 0) await append(part, { output, from: bytes, hash, options });
    const sha256 = hash.digest('hex');
    if (sha256 !== output.sha256)
      throw new ClobiError(
        'CONFLICT',
        `${file}: the bytes have SHA-256 ${sha256}, but the task reported ${output.sha256}.`,
      );
    await rename(part, file);
  } catch (error) {
    const isWrong = error instanceof ClobiError && error.code === 'CONFLICT';
    const there = (await stat(part).catch(() => undefined))?.size ?? 0;
    if (isWrong || there < WORTH_KEEPING_BYTES) await rm(part, { force: true });
    throw error;
  }
}

async function hashPart(part: string, sizeBytes: number): Promise<{ hash: Hash; bytes: number }> {
  const hash = createHash('sha256');
  const there = (await stat(part).catch(() => undefined))?.size ?? 0;
  if (there > sizeBytes) await rm(part, { force: true });
  if (there === 0 || there > sizeBytes) return { hash, bytes: 0 };
  for await (const chunk of createReadStream(part)) hash.update(chunk as Buffer);
  return { hash, bytes: there };
}

interface Append {
  output: OutputView;
  from: number;
  hash: Hash;
  options: FetchOptions;
}

async function append(part: string, { output, from, hash, options }: Append): Promise<void> {
  const response = await openObject(output.key, from, options);
  // Who does not know ranges answers with everything.
  let skip = response.statusCode === 206 ? 0 : from;
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const rest = skip < chunk.length ? chunk.subarray(skip) : undefined;
      skip = Math.max(0, skip - chunk.length);
      if (rest === undefined) {
        done();
        return;
      }
      hash.update(rest);
      options.onBytes?.(rest.length);
      done(null, rest);
    },
  });
  await pipeline(response, hashing, createWriteStream(part, { flags: from === 0 ? 'w' : 'a' }));
}

async function openObject(key: string, from: number, options: FetchOptions): Promise<IncomingMessage> {
  const { client, via, signal } = options;
  const headers = from === 0 ? {} : { range: `bytes=${from}-` };
  const path = `/v1/objects/${key.split('/').map(encodeURIComponent).join('/')}`;
  const response = await client.open({
    method: 'GET',
    path,
    query: { via },
    headers,
    signal,
    alsoFine: [307],
  });
  if (response.statusCode !== 307) return response;
  response.resume();
  const direct = await openUrl({ method: 'GET', url: response.headers.location ?? '', headers, signal });
  const status = direct.statusCode ?? 0;
  if (status === 200 || status === 206) return direct;
  direct.resume();
  throw new ClobiError('UNAVAILABLE', `The store answered with HTTP status ${status} for "${key}".`);
}
