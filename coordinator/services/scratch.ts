import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ClobiError } from '../../shared/errors.ts';
import { coordinatorDirectory } from '../../shared/paths.ts';
import type { PutBody } from '../../shared/providers/ports.ts';

/** Bounds the disk: bytes go there as they come, never into memory as a whole. */
export const MAX_CONTENT_BYTES = 64 * 1024 ** 3;
/** So little is kept in memory. */
const SMALL_BYTES = 256 * 1024;

export interface Content {
  sha256: string;
  sizeBytes: number;
}

export interface Receive {
  home: string;
  open: () => Promise<Readable>;
  /** Where it is known to be small, no file is needed. */
  sizeBytes?: number | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Takes in bytes whole and hashed before anything is done with them: what is not what it should be gets into no store.
 * `use` gets them as something to put; they are gone when it has resolved.
 */
export async function withContent<T>(
  from: Receive,
  use: (content: Content & { body: PutBody }) => Promise<T>,
): Promise<T> {
  if (from.sizeBytes !== undefined && from.sizeBytes <= SMALL_BYTES) {
    const body = await readSmall(await from.open());
    return use({ sha256: createHash('sha256').update(body).digest('hex'), sizeBytes: body.length, body });
  }
  const directory = await mkdtemp(join(await scratchDirectory(from.home), 'content-'));
  try {
    const file = join(directory, 'body');
    const { meter, content } = measure();
    await pipeline(await from.open(), meter, createWriteStream(file, { mode: 0o600 }), {
      ...(from.signal && { signal: from.signal }),
    });
    return await use({ ...content(), body: { file } });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function readSmall(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes > SMALL_BYTES) throw new ClobiError('CONFLICT', 'There are more bytes than were said.');
  }
  return Buffer.concat(chunks);
}

function measure(): { meter: Transform; content: () => Content } {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length;
      hash.update(chunk);
      if (sizeBytes > MAX_CONTENT_BYTES)
        done(new ClobiError('LIMIT_EXCEEDED', `An input has at most ${MAX_CONTENT_BYTES} bytes.`));
      else done(null, chunk);
    },
  });
  return { meter, content: () => ({ sha256: hash.digest('hex'), sizeBytes }) };
}

async function scratchDirectory(home: string): Promise<string> {
  const directory = join(coordinatorDirectory(home), 'uploads');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return directory;
}
