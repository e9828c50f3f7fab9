import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ClobiError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import { jobSpecSchema } from '../../shared/job-spec.ts';
import { JOB_STATES } from '../../shared/task-state.ts';
import { cancelJob } from '../services/cancel.ts';
import { releaseJob } from '../services/release.ts';
import { retryJob } from '../services/retry.ts';
import { cancelBody, explanation, jobView, retryBody, submitReply, type JobView } from './api.ts';
import { explainJob } from './explain.ts';
import { findJob, isOver, viewOf } from './find-job.ts';
import { addRoute } from './route.ts';
import { jobParams, pageQuery } from './schemas.ts';
import { addSubmitRoutes } from './submit.ts';
import type { ApiContext } from './server.ts';

const LONGEST_WAIT_MS = 24 * 3600 * 1000;

export function addJobRoutes(app: FastifyInstance, api: ApiContext): void {
  addSubmitRoutes(app, api);
  addReads(app, api);
  addWait(app, api);
  addRelease(app, api);
  addChanges(app, api);
}

function addReads(app: FastifyInstance, api: ApiContext): void {
  const { state } = api;
  addRoute(app, {
    method: 'GET',
    url: '/v1/jobs',
    summary: 'Jobs, newest first',
    query: pageQuery.extend({
      state: z.enum(JOB_STATES).optional(),
      label: z.string().optional().describe('name or name=value'),
      name: z.string().optional(),
    }),
    reply: z.object({ jobs: z.array(jobView), next: z.string().optional() }),
    handle: ({ query }) => state.jobs(query),
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/jobs/:job',
    summary: 'One job',
    params: jobParams,
    reply: jobView,
    handle: ({ params }) => viewOf(state, findJob(state, params.job)),
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/jobs/:job/spec',
    summary: 'The job as it was submitted',
    params: jobParams,
    reply: jobSpecSchema,
    handle: ({ params }) => state.spec(findJob(state, params.job)),
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/jobs/:job/explain',
    summary: 'Why the job is in the state it is in',
    params: jobParams,
    reply: explanation,
    handle: ({ params }) => explainJob(api, findJob(state, params.job)),
  });
}

function addWait(app: FastifyInstance, api: ApiContext): void {
  addRoute(app, {
    method: 'GET',
    url: '/v1/jobs/:job/wait',
    summary: 'The job, once it is over or the time is',
    params: jobParams,
    query: z.object({
      timeoutMs: z.coerce.number().int().nonnegative().max(LONGEST_WAIT_MS).default(30_000),
    }),
    reply: jobView,
    handle: ({ params, query, signal }) =>
      waitForEnd(api, findJob(api.state, params.job), { until: api.clock.now() + query.timeoutMs, signal }),
  });
}

async function waitForEnd(
  api: ApiContext,
  job: JobId,
  at: { until: number; signal: AbortSignal },
): Promise<JobView> {
  for (;;) {
    const view = viewOf(api.state, job);
    const left = at.until - api.clock.now();
    if (isOver(view) || left <= 0 || at.signal.aborted) return view;
    await api.signals.next('exported', left, at.signal);
  }
}

function addRelease(app: FastifyInstance, api: ApiContext): void {
  const { state } = api;
  addRoute(app, {
    method: 'POST',
    url: '/v1/jobs/:job/release',
    summary: 'Let a held job run',
    params: jobParams,
    reply: jobView,
    handle: async ({ params }) => {
      const job = findJob(state, params.job);
      const view = viewOf(state, job);
      if (!view.held || isOver(view))
        throw new ClobiError('CONFLICT', `Job ${job} is ${view.state}: only a held job can be released.`);
      await releaseJob(api, job);
      return viewOf(state, job);
    },
  });
}

function addChanges(app: FastifyInstance, api: ApiContext): void {
  const { state } = api;
  addRoute(app, {
    method: 'POST',
    url: '/v1/jobs/:job/cancel',
    summary: 'Cancel the job, or some of its tasks',
    params: jobParams,
    body: cancelBody.nullish(),
    reply: z.object({ cancelled: z.number() }),
    handle: async ({ params, body }) => {
      const job = findJob(state, params.job);
      return {
        cancelled: await cancelJob(api, {
          job,
          tasks: body?.tasks ?? null,
          reason: body?.reason ?? 'by request',
        }),
      };
    },
  });
  addRoute(app, {
    method: 'POST',
    url: '/v1/jobs/:job/retry',
    summary: 'A new job that runs some tasks of this one again',
    params: jobParams,
    body: retryBody,
    reply: submitReply,
    handle: async ({ params, body, reply }) => {
      const result = await retryJob(api, api.submitter, { job: findJob(state, params.job), ...body });
      reply.code(result.created ? 201 : 200);
      return { ...result, tasks: viewOf(state, result.job).tasks };
    },
  });
  addRoute(app, {
    method: 'POST',
    url: '/v1/jobs/:job/follow',
    summary: 'Have agents upload log chunks while tasks of this job run',
    params: jobParams,
    body: z.object({ on: z.boolean() }),
    reply: z.object({}),
    handle: ({ params, body }) => {
      api.follows.set(findJob(state, params.job), body.on);
      return {};
    },
  });
}
