import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ClobiError, isCode } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { isTerminal } from '../../shared/task-state.ts';
import type { LogRef } from '../../shared/wire/event.ts';
import { listAll } from '../services/read-segments.ts';
import { storeOfPool } from '../services/stores.ts';
import type { AttemptView, TaskView } from './api.ts';
import { findJob, taskOf } from './find-job.ts';
import { addRoute } from './route.ts';
import { taskParams } from './schemas.ts';
import type { ApiContext } from './server.ts';

type Stream = 'stdout' | 'stderr';

/** What is to be shown of one run. */
interface LogSource {
  run: string | null;
  pool: string;
  /** From its outcome; undefined while it runs. */
  log: LogRef | undefined;
  complete: boolean;
}

export function addLogRoutes(app: FastifyInstance, api: ApiContext): void {
  addRoute(app, {
    method: 'GET',
    url: '/v1/jobs/:job/tasks/:index/logs/:stream',
    summary: 'What the task printed, so far or in whole (x-clobi-complete: 1)',
    params: taskParams.extend({ stream: z.enum(['stdout', 'stderr']) }),
    query: z.object({ attempt: z.string().max(64).optional() }),
    handle: ({ params, query, reply }) => {
      const job = findJob(api.state, params.job);
      const source = sourceOf(api, job, { ...params, attempt: query.attempt });
      if (source.complete) reply.header('x-clobi-complete', '1');
      reply.type('application/octet-stream');
      if (source.log?.inline !== undefined && (source.log.chunks ?? 0) === 0)
        return reply.send(source.log.inline);
      if (source.run === null) return reply.send('');
      const prefix = `logs/${job}/${params.index}/${source.run}/${params.stream}.`;
      const { store } = storeOfPool(api, source.pool);
      return reply.send(Readable.from(concatenated(store, prefix)));
    },
  });
}

function sourceOf(
  api: ApiContext,
  job: JobId,
  at: { index: number; stream: Stream; attempt: string | undefined },
): LogSource {
  const task = taskOf(api.state, job, at.index);
  const attempt = chooseAttempt(task, at.attempt);
  const run = attempt?.run ?? null;
  const outcome = run === null ? undefined : api.state.outcome(job, at.index, run);
  const over =
    attempt === undefined ? isTerminal(task.state) : attempt.result !== 'open' || isTerminal(task.state);
  return { run, pool: attempt?.pool ?? '', log: outcome?.[at.stream], complete: over };
}

/** The attempt asked for, else the visible run's, else the newest. */
function chooseAttempt(task: TaskView, asked: string | undefined): AttemptView | undefined {
  const attempts = task.attempts ?? [];
  if (asked !== undefined) {
    const found = attempts.find(({ attempt, run }) => attempt === asked || run === asked);
    if (found === undefined) throw new ClobiError('NOT_FOUND', `Task ${task.id} has no attempt ${asked}.`);
    return found;
  }
  const visible = task.run === null ? undefined : attempts.find(({ run }) => run === task.run);
  return visible ?? attempts.at(-1);
}

async function* concatenated(store: ObjectStore, prefix: string): AsyncGenerator<Buffer> {
  for await (const key of listAll(store, prefix)) {
    try {
      const object = await store.get(key);
      if (object !== undefined) yield* object.body as AsyncIterable<Buffer>;
    } catch (error) {
      // Retention may take a log away while it is read.
      if (!isCode(error, 'NOT_FOUND')) throw error;
    }
  }
}
