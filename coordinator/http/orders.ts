import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ClobiError } from '../../shared/errors.ts';
import { MODE_OF_ORDER, type PoolOrder } from '../core/pool-mode.ts';
import { moveJob, orderPool } from '../services/orders.ts';
import { type MoveReply, moveBody, moveReply, type PoolOrderReply, poolOrderReply } from './api.ts';
import { findJob, isOver, viewOf } from './find-job.ts';
import { addRoute } from './route.ts';
import { jobParams } from './schemas.ts';
import type { ApiContext } from './server.ts';

const SUMMARIES: Readonly<Record<PoolOrder, string>> = {
  pause: 'Send nothing new to the pool',
  resume: 'Let the pool take work again',
  drain: 'Send nothing new to the pool, and ask its agents to finish what runs and leave',
  evacuate: 'Send nothing new to the pool, and call back what waits there',
};

/** What people order for pools, and where they move jobs. Each order may be given twice. */
export function addOrderRoutes(app: FastifyInstance, api: ApiContext): void {
  for (const order of Object.keys(SUMMARIES) as PoolOrder[]) {
    addRoute(app, {
      method: 'POST',
      url: `/v1/pools/:pool/${order}`,
      summary: SUMMARIES[order],
      params: z.object({ pool: z.string().min(1).max(64) }),
      reply: poolOrderReply,
      handle: async ({ params }): Promise<PoolOrderReply> => {
        const mode = MODE_OF_ORDER[order];
        return { ...(await orderPool(api, params.pool, mode)), pool: params.pool, mode };
      },
    });
  }
  addRoute(app, {
    method: 'POST',
    url: '/v1/jobs/:job/move',
    summary: 'Let what has not begun of a job run in one pool and no other',
    params: jobParams,
    body: moveBody,
    reply: moveReply,
    handle: async ({ params, body }): Promise<MoveReply> => {
      const job = findJob(api.state, params.job);
      const view = viewOf(api.state, job);
      if (isOver(view)) throw new ClobiError('CONFLICT', `Job ${job} is ${view.state}: nothing of it waits.`);
      return { ...(await moveJob(api, { job, ...body })), job, to: body.to };
    },
  });
}
