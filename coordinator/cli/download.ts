import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import PQueue from 'p-queue';
import { pause } from '../../shared/clock.ts';
import { ClobiError, messageOf } from '../../shared/errors.ts';
import type { OutputView } from '../http/api.ts';
import type { Client } from './client.ts';
import { isFileOfSize, makeParents, placeInside } from './safe-path.ts';

/** What became of each file. A second call over the same directory brings what is missing. */
export interface DownloadResult {
  fetched: number;
  /** There already, with the right size and hash. */
  kept: number;
  bytes: number;
  failures: { path: string; why: string }[];
}

export interface DownloadOptions {
  client: Client;
  directory: string;
  parallel: number;
  /** Where an output goes below the directory; by default INDEX/PATH. */
  placeOf?: (output: OutputView) => string;
  onProgress?: (result: Readonly<DownloadResult>) => void;
  signal?: AbortSignal;
}

const TRIES = 3;
const PAUSE_MS = 200;
const LONGEST_QUEUE = 1000;

/** Brings every output of the pages. A file that fails does not stop the others. */
export async function downloadOutputs(
  pages: AsyncIterable<readonly OutputView[]>,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const result: DownloadResult = { fetched: 0, kept: 0, bytes: 0, failures: [] };
  await mkdir(options.directory, { recursive: true });
  const queue = new PQueue({ concurrency: options.parallel });
  for await (const page of pages) {
    for (const output of page) {
      if (options.signal?.aborted === true) break;
      await queue.onSizeLessThan(LONGEST_QUEUE);
      void queue.add(() => bringOne(output, options, result));
    }
  }
  await queue.onIdle();
  return result;
}

/** Never rejects: what goes wrong is among the failures. */
async function bringOne(output: OutputView, options: DownloadOptions, result: DownloadResult): Promise<void> {
  const place = options.placeOf?.(output) ?? `${output.index}/${output.path}`;
  try {
    options.signal?.throwIfAborted();
    const file = placeInside(options.directory, place);
    await makeParents(options.directory, file);
    if (await isSame(file, output)) result.kept += 1;
    else {
      await fetchWithRetries(output, file, options);
      result.fetched += 1;
      result.bytes += output.sizeBytes;
    }
  } catch (error) {
    result.failures.push({ path: place, why: messageOf(error) });
  }
  options.onProgress?.(result);
}

async function fetchWithRetries(output: OutputView, file: string, options: DownloadOptions): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await fetchOne(output, file, options);
      return;
    } catch (error) {
      if (attempt === TRIES || options.signal?.aborted === true || !isWorthAnotherTry(error)) throw error;
      await pause(PAUSE_MS * 2 ** attempt, options.signal);
    }
  }
}

/** Broken connections and bytes that do not match may be right the next time; a full disk will not. */
const isWorthAnotherTry = (error: unknown): boolean =>
  error instanceof ClobiError
    ? error.retryable || error.code === 'CONFLICT'
    : error instanceof Error &&
      'code' in error &&
      ['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String(error.code));

/** Written beside its place and renamed only when the hash is right: a file under its own name is whole. */
async function fetchOne(output: OutputView, file: string, options: DownloadOptions): Promise<void> {
  const part = `${file}.${randomBytes(4).toString('hex')}.clobi-part`;
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    const key = output.key.split('/').map(encodeURIComponent).join('/');
    const response = await options.client.open({
      method: 'GET',
      path: `/v1/objects/${key}`,
      signal: options.signal,
    });
    await pipeline(response, hashing, createWriteStream(part, { flags: 'wx' }));
    const sha256 = hash.digest('hex');
    if (sha256 !== output.sha256) {
      throw new ClobiError(
        'CONFLICT',
        `${file}: the bytes have SHA-256 ${sha256}, but the task reported ${output.sha256}.`,
      );
    }
    await rename(part, file);
  } finally {
    await rm(part, { force: true });
  }
}

async function isSame(file: string, output: OutputView): Promise<boolean> {
  if (!(await isFileOfSize(file, output.sizeBytes))) return false;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex') === output.sha256;
}
