import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { TASK_STATES } from '../../shared/task-state.ts';
import { explanation, taskView } from './api.ts';
import { explainTask } from './explain.ts';
import { findJob, taskOf } from './find-job.ts';
import { addRoute } from './route.ts';
import { jobParams, pageQuery, taskParams } from './schemas.ts';
import type { ApiContext } from './server.ts';

export function addTaskRoutes(app: FastifyInstance, api: ApiContext): void {
  const { state } = api;
  addRoute(app, {
    method: 'GET',
    url: '/v1/jobs/:job/tasks',
    summary: 'Tasks of a job, by index',
    params: jobParams,
    query: pageQuery.extend({
      state: z.enum(TASK_STATES).optional(),
      after: z.coerce.number().int().min(-1).optional(),
    }),
    reply: z.object({ tasks: z.array(taskView), next: z.string().optional() }),
    handle: ({ params, query }) => state.tasks(findJob(state, params.job), query),
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/jobs/:job/tasks/:index',
    summary: 'One task with its attempts',
    params: taskParams,
    reply: taskView,
    handle: ({ params }) => taskOf(state, findJob(state, params.job), params.index),
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/jobs/:job/tasks/:index/explain',
    summary: 'Why the task is not running, or why it failed',
    params: taskParams,
    reply: explanation,
    handle: ({ params }) => explainTask(api, findJob(state, params.job), params.index),
  });
}
