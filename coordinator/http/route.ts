import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ErrorCode } from '../../shared/errors.ts';
import { parseWith } from './errors.ts';

/** One call of the API: what it takes and gives, checked and documented by the same schemas. */
export interface Route<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType> {
  method: 'GET' | 'POST' | 'PUT';
  url: string;
  summary: string;
  params?: Params;
  query?: Query;
  body?: Body;
  /** Shown in the documentation; answers are made by typed code. */
  reply?: z.ZodType;
  /** Code of the error for a body that does not fit; USAGE when not given. */
  bodyErrorCode?: ErrorCode;
  bodyLimitBytes?: number;
  handle: (input: RouteInput<Params, Query, Body>) => unknown;
}

interface RouteInput<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType> {
  params: z.output<Params>;
  query: z.output<Query>;
  body: z.output<Body>;
  request: FastifyRequest;
  reply: FastifyReply;
  /** Aborts when the client goes away. */
  signal: AbortSignal;
}

const nothing = z.unknown();

export function addRoute<
  Params extends z.ZodType = typeof nothing,
  Query extends z.ZodType = typeof nothing,
  Body extends z.ZodType = typeof nothing,
>(app: FastifyInstance, route: Route<Params, Query, Body>): void {
  app.route({
    method: route.method,
    url: route.url,
    schema: documentation(route),
    ...(route.bodyLimitBytes === undefined ? {} : { bodyLimit: route.bodyLimitBytes }),
    handler: async (request, reply) =>
      route.handle({
        params: parseWith(route.params ?? nothing, request.params, {
          code: 'USAGE',
          name: 'path',
        }) as z.output<Params>,
        query: parseWith(route.query ?? nothing, request.query, {
          code: 'USAGE',
          name: 'query',
        }) as z.output<Query>,
        body: parseWith(route.body ?? nothing, request.body, {
          code: route.bodyErrorCode ?? 'USAGE',
          name: 'body',
        }) as z.output<Body>,
        request,
        reply,
        signal: signalOf(reply),
      }),
  });
}

function documentation(
  route: Pick<Route<z.ZodType, z.ZodType, z.ZodType>, 'summary' | 'params' | 'query' | 'body' | 'reply'>,
): Record<string, unknown> {
  const asInput = (schema: z.ZodType): unknown =>
    z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return {
    summary: route.summary,
    ...(route.params === undefined ? {} : { params: asInput(route.params) }),
    ...(route.query === undefined ? {} : { querystring: asInput(route.query) }),
    ...(route.body === undefined ? {} : { body: asInput(route.body) }),
    ...(route.reply === undefined
      ? {}
      : { response: { 200: z.toJSONSchema(route.reply, { unrepresentable: 'any' }) } }),
  };
}

function signalOf(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
