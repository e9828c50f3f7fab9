import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ClobiError } from '../../shared/errors.ts';
import type { DirectUploads } from '../../shared/providers/direct.ts';
import { inputKey } from '../../shared/wire/keys.ts';
import { MAX_CONTENT_BYTES } from '../services/scratch.ts';
import { addRoute } from './route.ts';
import { sha256Text } from './schemas.ts';
import type { ApiContext } from './server.ts';

/** A part of a slow line's upload must be through by then; it is signed anew when it is tried again. */
const SIGNED_MS = 60 * 60_000;
const MOST_PARTS_A_CALL = 100;

const uploadName = z.string().min(1).max(2048);
const begun = z.object({ sha256: sha256Text, upload: uploadName });
const sizeBytes = z.number().int().min(0).max(MAX_CONTENT_BYTES);

export const uploadPlan = z.object({
  upload: z.string(),
  partBytes: z.number().int(),
  done: z.array(z.number().int()).readonly(),
});
export const signedRequests = z.object({
  requests: z.array(
    z.object({ method: z.literal('PUT'), url: z.string(), headers: z.record(z.string(), z.string()) }),
  ),
});
export type UploadPlanReply = { direct: z.infer<typeof uploadPlan> | null };
export type SignReply = z.infer<typeof signedRequests>;

/**
 * Inputs that go from the submitter to the store itself: the coordinator lends its right part by part, and the bytes do not
 * pass through it. What somebody with a token uploads under a wrong hash makes tasks fail that use it, and does no more:
 * agents check every input against its hash.
 */
export function addUploadRoutes(app: FastifyInstance, api: ApiContext): void {
  addRoute(app, {
    method: 'POST',
    url: '/v1/inputs/uploads',
    summary:
      'Begin an upload straight to the store, or go on with it; null where the store has no such thing',
    body: z.object({ sha256: sha256Text, sizeBytes }),
    reply: z.object({ direct: uploadPlan.nullable() }),
    handle: async ({ body }): Promise<UploadPlanReply> => {
      const plan = await api.store.direct?.begin(inputKey(body.sha256), body.sizeBytes);
      if (plan === undefined) return { direct: null };
      const { upload, partBytes, done } = plan;
      return { direct: { upload, partBytes, done } };
    },
  });
  addRoute(app, {
    method: 'POST',
    url: '/v1/inputs/uploads/sign',
    summary: 'Requests that put these parts into the store',
    body: begun.extend({
      parts: z
        .array(
          z.object({
            number: z.number().int().min(1).max(100_000),
            sha256: sha256Text,
            md5: z.string().regex(/^[A-Za-z0-9+/]{22}==$/),
          }),
        )
        .min(1)
        .max(MOST_PARTS_A_CALL),
    }),
    reply: signedRequests,
    handle: async ({ body }) => ({
      requests: await directOf(api).sign(planOf(body), body.parts, SIGNED_MS),
    }),
  });
  addEndRoutes(app, api);
}

function addEndRoutes(app: FastifyInstance, api: ApiContext): void {
  addRoute(app, {
    method: 'POST',
    url: '/v1/inputs/uploads/finish',
    summary: 'All parts are there: make the input of them',
    body: begun.extend({ sizeBytes }),
    reply: z.object({ sha256: z.string(), sizeBytes: z.number() }),
    handle: async ({ body }) => {
      await directOf(api).finish({ ...planOf(body), sizeBytes: body.sizeBytes });
      return { sha256: body.sha256, sizeBytes: body.sizeBytes };
    },
  });
  addRoute(app, {
    method: 'POST',
    url: '/v1/inputs/uploads/abandon',
    summary: 'Forget an upload that was begun',
    body: begun,
    reply: z.object({}),
    handle: async ({ body }) => {
      await directOf(api).abandon(planOf(body));
      return {};
    },
  });
}

const planOf = ({ sha256, upload }: z.infer<typeof begun>): { key: string; upload: string } => ({
  key: inputKey(sha256),
  upload,
});

function directOf({ store }: ApiContext): DirectUploads {
  if (store.direct !== undefined) return store.direct;
  throw new ClobiError(
    'USAGE',
    'This store takes no uploads by others. Send the bytes with PUT /v1/inputs/<sha256>.',
  );
}
