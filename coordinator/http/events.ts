import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { pause } from '../../shared/clock.ts';
import type { JobId } from '../../shared/ids.ts';
import { jobEvent } from './api.ts';
import { findJob, isOver, viewOf } from './find-job.ts';
import { addRoute } from './route.ts';
import { flag, jobParams, limit } from './schemas.ts';
import type { ApiContext } from './server.ts';

const BATCH = 500;
/** Changes within this time are sent together. */
const GATHER_MS = 50;
/** A client that listens for long is looked at again at least this often. */
const LONGEST_SILENCE_MS = 10_000;

export function addEventRoutes(app: FastifyInstance, api: ApiContext): void {
  addRoute(app, {
    method: 'GET',
    url: '/v1/jobs/:job/events',
    summary: 'What happened to the job; with follow=1 as NDJSON until it is over',
    params: jobParams,
    query: z.object({
      after: z.coerce.number().int().nonnegative().default(0),
      limit,
      follow: flag.optional(),
    }),
    reply: z.object({ events: z.array(jobEvent) }),
    handle: ({ params, query, reply, signal }) => {
      const job = findJob(api.state, params.job);
      if (query.follow !== true) return { events: api.state.events(job, query.after, query.limit) };
      const lines = Readable.from(followEvents(api, job, { after: query.after, signal }));
      return reply.type('application/x-ndjson').send(lines);
    },
  });
}

async function* followEvents(
  api: ApiContext,
  job: JobId,
  from: { after: number; signal: AbortSignal },
): AsyncGenerator<string> {
  let { after } = from;
  while (!from.signal.aborted) {
    // Asked before the events are read: what happens in between is then seen in the next round.
    const over = isOver(viewOf(api.state, job));
    const events = api.state.events(job, after, BATCH);
    if (events.length > 0) yield events.map((event) => `${JSON.stringify(event)}\n`).join('');
    after = events.at(-1)?.seq ?? after;
    if (events.length === BATCH) continue;
    if (over) return;
    await api.signals.next('changed', LONGEST_SILENCE_MS, from.signal);
    await pause(GATHER_MS, from.signal);
  }
}
