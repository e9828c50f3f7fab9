import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { ClobiError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { storeOfPool } from '../services/stores.ts';
import { outputView } from './api.ts';
import { findJob } from './find-job.ts';
import { parseRange } from './range.ts';
import { addRoute } from './route.ts';
import { jobParams, pageQuery } from './schemas.ts';
import type { ApiContext } from './server.ts';

/** Tasks whose names of outputs are at hand: a download asks for one after the other. */
const KNOWN_TASKS = 20;
/** A download must have begun by then; once begun it may take longer. */
const URL_EXPIRES_MS = 15 * 60_000;

/** Pool by key, of one task's visible run. */
type NamedOutputs = ReadonlyMap<string, string>;

export function addOutputRoutes(app: FastifyInstance, api: ApiContext): void {
  const { state } = api;
  const known = new Map<string, NamedOutputs>();
  addRoute(app, {
    method: 'GET',
    url: '/v1/jobs/:job/outputs',
    summary: 'Committed outputs of a job, by index and path',
    params: jobParams,
    query: pageQuery,
    reply: z.object({ outputs: z.array(outputView), next: z.string().optional() }),
    handle: ({ params, query }) => state.outputs(findJob(state, params.job), query),
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/objects/*',
    summary: 'A committed output or log chunk: its bytes, or (307) a URL of its store that gives them',
    params: z.object({ '*': z.string().min(1).max(2048) }),
    query: z.object({
      via: z.enum(['store', 'coordinator']).default('store').describe('coordinator: never a redirect'),
    }),
    handle: async ({ params, query, request, reply }) => {
      const key = params['*'];
      const { store } = storeOfPool(api, poolOfObject(api, key, known));
      const url = query.via === 'store' ? await store.presign('get', key, URL_EXPIRES_MS) : undefined;
      if (url !== undefined) return reply.header('cache-control', 'no-store').redirect(url, 307);
      return sendObject(store, key, { range: request.headers.range, reply });
    },
  });
}

async function sendObject(
  store: ObjectStore,
  key: string,
  { range, reply }: { range: string | undefined; reply: FastifyReply },
): Promise<FastifyReply> {
  reply.type('application/octet-stream').header('accept-ranges', 'bytes');
  const size = range === undefined ? undefined : (await store.head(key))?.sizeBytes;
  const part = size === undefined ? undefined : parseRange(range, size);
  if (part === 'unsatisfiable')
    return reply
      .code(416)
      .header('content-range', `bytes */${size ?? '*'}`)
      .send();
  const object = await store.get(key, part === undefined ? {} : { range: part });
  if (part === undefined) return reply.header('content-length', object?.sizeBytes ?? 0).send(object?.body);
  return reply
    .code(206)
    .header('content-range', `bytes ${part.from}-${part.to}/${size ?? '*'}`)
    .header('content-length', part.to - part.from + 1)
    .send(object?.body);
}

/** Only what a committed outcome names may be read: no specs, no segments, nothing of a run that did not count. */
function poolOfObject({ state }: ApiContext, key: string, known: Map<string, NamedOutputs>): string {
  const match = /^(results|logs)\/([^/]+)\/(\d{1,10})\/([^/]+)\/./.exec(key);
  const [, kind, job, index, run] = match ?? [];
  if (job === undefined || run === undefined) throw noSuchObject(key);
  const pool =
    kind === 'results'
      ? namedOutputs(state, job as JobId, Number(index), known).get(key)
      : poolOfRun(state, { job: job as JobId, index: Number(index), run });
  if (pool === undefined) throw noSuchObject(key);
  return pool;
}

/** Of the visible run alone. */
function poolOfRun(
  state: ApiContext['state'],
  { job, index, run }: { job: JobId; index: number; run: string },
): string | undefined {
  const task = state.task(job, index);
  if (task?.run !== run) return undefined;
  return task.attempts?.find((attempt) => attempt.run === run)?.pool;
}

/** A visible run's outputs never change, so they are listed once for a whole download. */
function namedOutputs(
  state: ApiContext['state'],
  job: JobId,
  index: number,
  known: Map<string, NamedOutputs>,
): NamedOutputs {
  const task = `${job}/${index}`;
  const found = known.get(task) ?? new Map(state.taskOutputs(job, index).map(({ key, pool }) => [key, pool]));
  if (found.size === 0) return found;
  known.delete(task);
  known.set(task, found);
  const oldest = known.size > KNOWN_TASKS ? known.keys().next() : undefined;
  if (oldest?.done === false) known.delete(oldest.value);
  return found;
}

const noSuchObject = (key: string): ClobiError =>
  new ClobiError('NOT_FOUND', `No committed result or log is named "${key}".`);
