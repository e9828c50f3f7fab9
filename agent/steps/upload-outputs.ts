import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import PQueue from 'p-queue';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import type { OutputFile } from '../../shared/wire/event.ts';
import type { FoundOutput } from './find-outputs.ts';
import { withRetries } from './retry.ts';
import { TaskProblem } from './task-problem.ts';

const AT_A_TIME = 10;
/** Up to this size a file is read once into memory, hashed and sent from there. */
const SMALL_BYTES = 1024 * 1024;

/** Uploads all files below the prefix; resolves when every one is durable. The first failure ends it. */
export async function uploadOutputs(
  outputs: readonly FoundOutput[],
  prefix: string,
  store: ObjectStore,
  signal: AbortSignal,
): Promise<OutputFile[]> {
  const queue = new PQueue({ concurrency: AT_A_TIME });
  try {
    return await queue.addAll(
      outputs.map((output) => () => uploadOutput(output, prefix + output.path, store, signal)),
    );
  } catch (error) {
    queue.clear();
    // What is on its way ends before the work directory goes.
    await queue.onIdle();
    throw error;
  }
}

async function uploadOutput(
  output: FoundOutput,
  key: string,
  store: ObjectStore,
  signal: AbortSignal,
): Promise<OutputFile> {
  const upload = output.sizeBytes <= SMALL_BYTES ? uploadSmall : uploadLarge;
  const { sha256, sizeBytes } = await upload(output, key, store, signal);
  return { path: output.path, key, sizeBytes, sha256 };
}

type Content = Pick<OutputFile, 'sha256' | 'sizeBytes'>;

async function uploadSmall(
  { file }: FoundOutput,
  key: string,
  store: ObjectStore,
  signal: AbortSignal,
): Promise<Content> {
  const body = await readFile(file);
  await withRetries(() => store.put(key, body), { signal, isResult: true });
  return { sha256: createHash('sha256').update(body).digest('hex'), sizeBytes: body.length };
}

async function uploadLarge(
  { file, path }: FoundOutput,
  key: string,
  store: ObjectStore,
  signal: AbortSignal,
): Promise<Content> {
  const before = await stat(file, { bigint: true });
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash, { signal });
  const { sizeBytes } = await withRetries(() => store.put(key, { file }), { signal, isResult: true });
  const after = await stat(file, { bigint: true });
  if (
    after.mtimeNs !== before.mtimeNs ||
    after.ctimeNs !== before.ctimeNs ||
    BigInt(sizeBytes) !== before.size
  )
    throw new TaskProblem('output', `The output "${path}" changed while it was uploaded.`);
  return { sha256: hash.digest('hex'), sizeBytes };
}
