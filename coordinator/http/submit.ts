import type { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { ClobiError, isCode, messageOf } from '../../shared/errors.ts';
import { LIMITS } from '../../shared/job-file/limits.ts';
import { type JobSpec, jobSpecSchema, type Submission } from '../../shared/job-spec.ts';
import { checkKind, checkSpec } from '../services/check-submission.ts';
import { parseItems, parseLine } from '../services/items.ts';
import { type Lines, linesOf } from '../services/lines.ts';
import type { Submitted } from '../services/submitter.ts';
import { checkBody, checkReply, type CheckReply, submitBody, submitReply, type SubmitReply } from './api.ts';
import { parseWith } from './errors.ts';
import { viewOf } from './find-job.ts';
import { addRoute } from './route.ts';
import type { ApiContext } from './server.ts';

/** Specs that list 100,000 input files each; what comes as one piece of JSON is held in memory several times over. */
const SPECS_LIMIT_BYTES = 64 * 1024 * 1024;

const NDJSON = {
  contentType: 'application/x-ndjson',
  description:
    'The same as lines of JSON: the first one is the spec, each further one the parameters of a task, in order. For jobs with many items: they are never all in memory.',
};

export function addSubmitRoutes(app: FastifyInstance, api: ApiContext): void {
  const replyOf = ({ job, created }: Submitted): SubmitReply => ({
    job,
    created,
    tasks: viewOf(api.state, job).tasks,
  });
  addRoute(app, {
    method: 'POST',
    url: '/v1/jobs',
    summary: 'Submit a job; 200 with the first job when the idempotency key was known',
    body: submitBody,
    stream: NDJSON,
    bodyErrorCode: 'INVALID_JOB',
    bodyLimitBytes: SPECS_LIMIT_BYTES,
    reply: submitReply,
    handle: async ({ body, stream, reply }) => {
      const submitted = await (stream === undefined
        ? api.submitter.submit(body as Submission)
        : submitLines(api, stream));
      reply.code(submitted.created ? 201 : 200);
      return replyOf(submitted);
    },
  });
  addRoute(app, {
    method: 'POST',
    url: '/v1/jobs/check',
    summary: 'What would be refused of these jobs; nothing is submitted',
    body: checkBody,
    bodyErrorCode: 'INVALID_JOB',
    bodyLimitBytes: SPECS_LIMIT_BYTES,
    reply: checkReply,
    handle: ({ body }) => ({
      problems: body.specs.flatMap((spec, i) => problemOf(api, spec, i)),
    }),
  });
}

async function submitLines(api: ApiContext, body: Readable): Promise<Submitted> {
  const limitOf = (line: number): number => (line === 1 ? SPECS_LIMIT_BYTES : LIMITS.itemLineBytes);
  try {
    // A connection whose request was destroyed carries no answer.
    const lines = linesOf(body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>, limitOf);
    const head = ((await lines.next()).value as Lines | undefined)?.texts ?? [];
    const first = parseLine(head[0] ?? '', 1);
    if (first === undefined)
      throw new ClobiError('INVALID_JOB', 'The request is wrong. line 1: it is no JSON of a job.');
    const spec = parseWith(jobSpecSchema, first, { code: 'INVALID_JOB', name: 'line 1' });
    const items = itemsOf(head.slice(1), lines);
    return await (spec.tasks.kind === 'items'
      ? api.submitter.submitItems(spec, items)
      : submitWithout(api, spec, items));
  } catch (error) {
    if (body.errored !== null)
      throw new ClobiError('USAGE', 'The body broke off; nothing was submitted.', { cause: error });
    body.resume();
    throw error;
  }
}

async function* itemsOf(head: string[], lines: AsyncIterable<Lines>): AsyncGenerator<string[]> {
  yield parseItems({ first: 2, texts: head });
  for await (const more of lines) yield parseItems(more);
}

async function submitWithout(
  { submitter }: ApiContext,
  spec: JobSpec,
  items: AsyncIterable<readonly string[]>,
): Promise<Submitted> {
  for await (const batch of items) checkKind(spec, batch.length > 0);
  return submitter.submit({ spec });
}

function problemOf(api: ApiContext, spec: JobSpec, index: number): CheckReply['problems'] {
  try {
    checkSpec(spec, api);
    return [];
  } catch (error) {
    if (!isCode(error, 'INVALID_JOB') && !isCode(error, 'LIMIT_EXCEEDED')) throw error;
    return [{ spec: index, message: messageOf(error) }];
  }
}
