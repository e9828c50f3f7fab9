import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ClobiError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import { outputView } from './api.ts';
import { findJob } from './find-job.ts';
import { addRoute } from './route.ts';
import { jobParams, pageQuery } from './schemas.ts';
import type { ApiContext } from './server.ts';

export function addOutputRoutes(app: FastifyInstance, api: ApiContext): void {
  const { state } = api;
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
      requireNamed(api, key);
      const object = await api.store.get(key);
      return reply
        .type('application/octet-stream')
        .header('content-length', object?.sizeBytes ?? 0)
        .send(object?.body);
    },
  });
}

/** Only what a committed outcome names may be read: no specs, no segments, nothing of a run that did not count. */
function requireNamed({ state }: ApiContext, key: string): void {
  const match = /^(results|logs)\/([^/]+)\/(\d{1,10})\/([^/]+)\/./.exec(key);
  const [, kind, job, index, run] = match ?? [];
  if (job === undefined || run === undefined) throw noSuchObject(key);
  const named =
    kind === 'results'
      ? state.taskOutputs(job as JobId, Number(index)).some((output) => output.key === key)
      : state.task(job as JobId, Number(index))?.run === run;
  if (!named) throw noSuchObject(key);
}

const noSuchObject = (key: string): ClobiError =>
  new ClobiError('NOT_FOUND', `No committed result or log is named "${key}".`);
