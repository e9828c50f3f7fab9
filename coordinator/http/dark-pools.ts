import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { giveUp } from '../services/darkness.ts';
import { findPool } from '../services/orders.ts';
import { giveUpReply, type GiveUpReply } from './api.ts';
import { addRoute } from './route.ts';
import type { ApiContext } from './server.ts';

/** R9: what a person may do about a pool that cannot be reached. Each may be asked twice. */
export function addDarkPoolRoutes(app: FastifyInstance, api: ApiContext): void {
  const params = z.object({ pool: z.string().min(1).max(64) });
  addRoute(app, {
    method: 'POST',
    url: '/v1/pools/:pool/retry',
    summary: 'Try again at once what was put off because it failed',
    params,
    reply: z.object({ pool: z.string() }),
    handle: ({ params: { pool: name } }) => {
      const pool = findPool(api, name);
      pool.guard.retryNow();
      pool.storeGuard.retryNow();
      return { pool: pool.name };
    },
  });
  addRoute(app, {
    method: 'POST',
    url: '/v1/pools/:pool/give-up',
    summary: 'Take back all work of a pool that cannot be reached; tasks without a loss left end as lost',
    params,
    reply: giveUpReply,
    handle: async ({ params: { pool: name } }): Promise<GiveUpReply> => {
      const pool = findPool(api, name);
      return { pool: pool.name, units: await giveUp(api, pool) };
    },
  });
}
