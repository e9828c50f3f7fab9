import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ClobiError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import { outputView } from './api.ts';
import { findJob } from './find-job.ts';
import { addRoute } from './route.ts';
import { jobParams, pageQuery } from './schemas.ts';
import type { ApiContext } from './server.ts';

/** Tasks whose names of outputs are at hand: a download asks for one after the other. */
const KNOWN_TASKS = 20;

export function addOutputRoutes(app: FastifyInstance, api: ApiContext): void {
  const { state } = api;
  const known = new Map<string, ReadonlySet<string>>();
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
    summary: 'The bytes of a committed output or log chunk',
    params: z.object({ '*': z.string().min(1).max(2048) }),
    handle: async ({ params, reply }) => {
      const key = params['*'];
      requireNamed(api, key, known);
      const object = await api.store.get(key);
      return reply
        .type('application/octet-stream')
        .header('content-length', object?.sizeBytes ?? 0)
        .send(object?.body);
    },
  });
}

/** Only what a committed outcome names may be read: no specs, no segments, nothing of a run that did not count. */
function requireNamed({ state }: ApiContext, key: string, known: Map<string, ReadonlySet<string>>): void {
  const match = /^(results|logs)\/([^/]+)\/(\d{1,10})\/([^/]+)\/./.exec(key);
  const [, kind, job, index, run] = match ?? [];
  if (job === undefined || run === undefined) throw noSuchObject(key);
  const named =
    kind === 'results'
      ? namedOutputs(state, job as JobId, Number(index), known).has(key)
      : state.task(job as JobId, Number(index))?.run === run;
  if (!named) throw noSuchObject(key);
}

/** A visible run's outputs never change, so they are listed once for a whole download. */
function namedOutputs(
  state: ApiContext['state'],
  job: JobId,
  index: number,
  known: Map<string, ReadonlySet<string>>,
): ReadonlySet<string> {
  const task = `${job}/${index}`;
  const found = known.get(task) ?? new Set(state.taskOutputs(job, index).map((output) => output.key));
  if (found.size === 0) return found;
  known.delete(task);
  known.set(task, found);
  const oldest = known.size > KNOWN_TASKS ? known.keys().next() : undefined;
  if (oldest?.done === false) known.delete(oldest.value);
  return found;
}

const noSuchObject = (key: string): ClobiError =>
  new ClobiError('NOT_FOUND', `No committed result or log is named "${key}".`);
