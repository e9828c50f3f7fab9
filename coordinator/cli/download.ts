import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import PQueue from 'p-queue';
import { makeDirectories } from '../../shared/make-directories.ts';
import { pause } from '../../shared/clock.ts';
import { ClobiError, messageOf } from '../../shared/errors.ts';
import type { OutputView } from '../http/api.ts';
import type { Client } from './client.ts';
import { fetchOutput } from './fetch-output.ts';
import { isFileOfSize, makeParents, placeInside } from '../../shared/safe-path.ts';

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
  makeDirectories(options.directory);
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
  const { client, signal } = options;
  for (let attempt = 1; ; attempt += 1) {
    // A store that cannot be reached from here may be reached from the coordinator.
    const via = attempt === TRIES ? 'coordinator' : 'store';
    try {
      await fetchOutput(output, file, { client, via, signal });
      return;
    } catch (error) {
      if (attempt === TRIES || signal?.aborted === true || !isWorthAnotherTry(error)) throw error;
      await pause(PAUSE_MS * 2 ** attempt, signal);
    }
  }
}

/** Broken connections and bytes that do not match may be right the next time; a full disk will not. */
const isWorthAnotherTry = (error: unknown): boolean =>
  error instanceof ClobiError
    ? error.retryable || error.code === 'CONFLICT'
    : error instanceof Error &&
      'code' in error &&
      ['ECONNRESET', 'ETIMEDOUT', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String(error.code));

async function isSame(file: string, output: OutputView): Promise<boolean> {
  if (!(await isFileOfSize(file, output.sizeBytes))) return false;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex') === output.sha256;
}
