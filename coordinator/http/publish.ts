import type { FastifyInstance } from 'fastify';
import { ClobiError } from '../../shared/errors.ts';
import { type PublishReply, publishBody, publishReply } from './api.ts';
import { findJob } from './find-job.ts';
import { addRoute } from './route.ts';
import { jobParams } from './schemas.ts';
import type { ApiContext } from './server.ts';

/** What people order where files cannot be put to the place that `outputs.to` names. Each order may be given twice. */
export function addPublishRoute(app: FastifyInstance, { state, clock, signals }: ApiContext): void {
  addRoute(app, {
    method: 'POST',
    url: '/v1/jobs/:job/publish',
    summary: 'Try at once what could not be published, or give it up',
    params: jobParams,
    body: publishBody,
    reply: publishReply,
    handle: ({ params, body }): PublishReply => {
      const job = findJob(state, params.job);
      const to = state.spec(job)?.publish;
      if (to === undefined)
        throw new ClobiError('CONFLICT', `Job ${job} names no place to publish to (outputs.to).`);
      const { giveUp } = body;
      const tasks = giveUp
        ? state.giveUpPublications(job, clock.now())
        : state.hastenPublications(job, clock.now());
      if (!giveUp) signals.ring('exported');
      return { job, to, tasks, giveUp };
    },
  });
}
