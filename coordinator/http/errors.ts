import type { FastifyInstance, FastifyReply } from 'fastify';
import type { z } from 'zod';
import { ClobiError, ERROR_KINDS, messageOf, type ErrorCode } from '../../shared/errors.ts';

/** Every error as `{error: {code, message, context}}` with the status of its code. */
export function installErrorHandlers(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    const known = asClobiError(error);
    if (known.code === 'INTERNAL') request.log.error({ err: error, url: request.url }, 'request failed');
    return sendError(reply, known);
  });
  app.setNotFoundHandler((request, reply) =>
    sendError(
      reply,
      new ClobiError(
        'NOT_FOUND',
        `There is no ${request.method} ${request.url.split('?')[0] ?? ''}. See /openapi.json for what there is.`,
      ),
    ),
  );
}

export function sendError(
  reply: FastifyReply,
  error: ClobiError,
  status: number = error.kind.httpStatus,
): FastifyReply {
  const { code, message, context } = error;
  return reply.code(status).send({ error: { code, message, context } });
}

/** The value as the schema has it, or an error with every problem and where it is. */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: { code: ErrorCode; name: string },
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${[what.name, ...issue.path].join('.')}: ${issue.message}`,
  );
  throw new ClobiError(what.code, `The request is wrong. ${problems.slice(0, 20).join('; ')}`, {
    context: { problems },
  });
}

const FRAMEWORK_CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'USAGE',
  404: 'NOT_FOUND',
  413: 'LIMIT_EXCEEDED',
  415: 'USAGE',
  429: 'RATE_LIMITED',
};

const TOO_LARGE =
  'The body is larger than this call takes. A job with many items is sent as application/x-ndjson, with a line for each.';

function asClobiError(error: unknown): ClobiError {
  if (error instanceof ClobiError) return error;
  const status = (error as { statusCode?: unknown }).statusCode;
  const code = typeof status === 'number' ? FRAMEWORK_CODES[status] : undefined;
  if (code === 'LIMIT_EXCEEDED') return new ClobiError(code, TOO_LARGE, { cause: error });
  if (code !== undefined) return new ClobiError(code, messageOf(error), { cause: error });
  return new ClobiError('INTERNAL', ERROR_KINDS.INTERNAL.meaning, { cause: error });
}
