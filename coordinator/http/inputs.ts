import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { ClobiError } from '../../shared/errors.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { coordinatorDirectory } from '../../shared/paths.ts';
import { inputKey } from '../../shared/wire/keys.ts';
import { sendError } from './errors.ts';
import { addRoute } from './route.ts';
import type { ApiContext } from './server.ts';

/** Inputs go to disk as they come, so this bounds the disk, not the memory. */
const MAX_INPUT_BYTES = 64 * 1024 ** 3;
const MAX_ASKED = 10_000;
/** Stores answer many small questions best a few at a time. */
const ASKED_AT_ONCE = 16;

const sha256Text = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits');

export function addInputRoutes(app: FastifyInstance, api: ApiContext): void {
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
  addRoute(app, {
    method: 'POST',
    url: '/v1/inputs/missing',
    summary: 'Which of these inputs are not in the store yet',
    body: z.object({ sha256: z.array(sha256Text).max(MAX_ASKED) }),
    reply: z.object({ missing: z.array(z.string()) }),
    handle: async ({ body }) => ({ missing: await findMissing(api.store, [...new Set(body.sha256)]) }),
  });
  addRoute(app, {
    method: 'PUT',
    url: '/v1/inputs/:sha256',
    summary: 'Upload one input; the bytes as application/octet-stream',
    params: z.object({ sha256: sha256Text }),
    reply: z.object({ sha256: z.string(), sizeBytes: z.number() }),
    bodyLimitBytes: MAX_INPUT_BYTES,
    handle: ({ params, body, reply }) => {
      if (!(body instanceof Readable))
        throw new ClobiError('USAGE', 'Send the bytes with "content-type: application/octet-stream".');
      return storeInput(api, { sha256: params.sha256, body, reply });
    },
  });
}

async function findMissing(store: ObjectStore, hashes: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (let at = 0; at < hashes.length; at += ASKED_AT_ONCE) {
    const asked = hashes.slice(at, at + ASKED_AT_ONCE);
    const found = await Promise.all(asked.map((hash) => store.head(inputKey(hash))));
    missing.push(...asked.filter((_, place) => found[place] === undefined));
  }
  return missing;
}

/** To a temporary file first: what has the wrong hash never gets into the store. */
async function storeInput(
  { store, config }: ApiContext,
  input: { sha256: string; body: Readable; reply: FastifyReply },
): Promise<unknown> {
  const directory = await mkdtemp(join(await uploadsDirectory(config.home), 'input-'));
  try {
    const file = join(directory, 'body');
    const got = await writeHashed(input.body, file);
    if (got.sha256 !== input.sha256) {
      const message = `The bytes have the SHA-256 ${got.sha256}, not ${input.sha256}. The file has changed while it was sent, or the transfer is broken: send it again.`;
      return await sendError(input.reply, new ClobiError('USAGE', message), 422);
    }
    await store.put(inputKey(input.sha256), { file });
    return got;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function writeHashed(body: Readable, file: string): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length;
      hash.update(chunk);
      if (sizeBytes > MAX_INPUT_BYTES)
        done(new ClobiError('LIMIT_EXCEEDED', `An input has at most ${MAX_INPUT_BYTES} bytes.`));
      else done(null, chunk);
    },
  });
  await pipeline(body, measure, createWriteStream(file, { mode: 0o600 }));
  return { sha256: hash.digest('hex'), sizeBytes };
}

async function uploadsDirectory(home: string): Promise<string> {
  const directory = join(coordinatorDirectory(home), 'uploads');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return directory;
}
