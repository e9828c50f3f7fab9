import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { ClobiError } from '../../shared/errors.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { inputKey } from '../../shared/wire/keys.ts';
import { MAX_CONTENT_BYTES, withContent } from '../services/scratch.ts';
import { sendError } from './errors.ts';
import { addRoute } from './route.ts';
import { sha256Text } from './schemas.ts';
import type { ApiContext } from './server.ts';

const MAX_ASKED = 10_000;
/** Stores answer many small questions best a few at a time. */
const ASKED_AT_ONCE = 16;

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
    bodyLimitBytes: MAX_CONTENT_BYTES,
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

/** Taken in whole first: what has the wrong hash never gets into the store. */
async function storeInput(
  { store, config }: ApiContext,
  input: { sha256: string; body: Readable; reply: FastifyReply },
): Promise<unknown> {
  const open = (): Promise<Readable> => Promise.resolve(input.body);
  return withContent({ home: config.home, open }, async ({ body, ...got }) => {
    if (got.sha256 !== input.sha256) {
      const message = `The bytes have the SHA-256 ${got.sha256}, not ${input.sha256}. The file has changed while it was sent, or the transfer is broken: send it again.`;
      return sendError(input.reply, new ClobiError('USAGE', message), 422);
    }
    await store.put(inputKey(input.sha256), body);
    return got;
  });
}
