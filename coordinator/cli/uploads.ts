import { createReadStream } from 'node:fs';
import PQueue from 'p-queue';
import { ClobiError, isCode } from '../../shared/errors.ts';
import { formatBytes } from '../../shared/units-of-measure.ts';
import type { Client } from './client.ts';
import { type DirectOptions, uploadDirectly } from './direct-upload.ts';
import type { Output } from './output/output.ts';
import { openProgress } from './output/progress.ts';
import { plural } from './output/text.ts';

/** A local file that a job needs, known by its content. */
export interface Upload {
  sha256: string;
  file: string;
  sizeBytes: number;
}

const PARALLEL = 4;
const PARALLEL_PARTS = 8;
const DIRECT_FROM_BYTES = 1024 * 1024;
const ASKED_AT_ONCE = 1000;

/** Brings to the coordinator what it does not have yet. Streams: nothing is held in memory. */
export async function uploadInputs(
  client: Client,
  uploads: readonly Upload[],
  output: Output,
): Promise<void> {
  const bySha = new Map(uploads.map((upload) => [upload.sha256, upload]));
  const missing = (await findMissing(client, [...bySha.keys()])).flatMap((sha256) => bySha.get(sha256) ?? []);
  if (missing.length === 0) return;
  const progress = await openProgress(output);
  const parts = new PQueue({ concurrency: PARALLEL_PARTS });
  const total = missing.reduce((sum, upload) => sum + upload.sizeBytes, 0);
  let done = 0;
  let bytes = 0;
  const show = (): void =>
    progress.update([
      `Uploading inputs: ${done}/${plural(missing.length, 'file')}, ${formatBytes(bytes)} of ${formatBytes(total)}`,
    ]);
  const onBytes = (more: number): void => {
    bytes += more;
    show();
  };
  const queue = new PQueue({ concurrency: PARALLEL });
  try {
    show();
    await queue.addAll(
      missing.map((upload) => async () => {
        await uploadOne(upload, { client, parts, onBytes });
        done += 1;
        show();
      }),
    );
  } finally {
    queue.clear();
    parts.clear();
    progress.stop();
  }
}

async function findMissing(client: Client, hashes: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (let from = 0; from < hashes.length; from += ASKED_AT_ONCE) {
    const sha256 = hashes.slice(from, from + ASKED_AT_ONCE);
    missing.push(
      ...(await client.post<{ missing: string[] }>('/v1/inputs/missing', { sha256 }, true)).missing,
    );
  }
  return missing;
}

/** Small files are not worth the calls that it takes to send them past the coordinator. */
async function uploadOne(upload: Upload, options: DirectOptions): Promise<void> {
  const isLarge = upload.sizeBytes >= DIRECT_FROM_BYTES;
  if (isLarge && (await tryDirectly(upload, options))) return;
  await uploadThrough(upload, options);
  options.onBytes(upload.sizeBytes);
}

/** A store that the coordinator reaches and we do not is no reason to give up. */
async function tryDirectly(upload: Upload, options: DirectOptions): Promise<boolean> {
  let counted = 0;
  const onBytes = (bytes: number): void => {
    counted += bytes;
    options.onBytes(bytes);
  };
  try {
    return await uploadDirectly(upload, { ...options, onBytes });
  } catch (error) {
    if (!isCode(error, 'UNAVAILABLE')) throw error;
    options.onBytes(-counted);
    return false;
  }
}

async function uploadThrough(upload: Upload, { client }: DirectOptions): Promise<void> {
  const bytes = { sizeBytes: upload.sizeBytes, open: () => createReadStream(upload.file) };
  try {
    await client.json({ method: 'PUT', path: `/v1/inputs/${upload.sha256}`, bytes });
  } catch (error) {
    if (!isCode(error, 'INTERNAL') && !isCode(error, 'CONFLICT') && !isCode(error, 'USAGE')) throw error;
    throw new ClobiError(
      'CONFLICT',
      `${upload.file} was not taken; it may have changed while it was read. Submit again. (${(error as Error).message})`,
      { cause: error },
    );
  }
}
