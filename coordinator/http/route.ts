import { Readable } from 'node:stream';
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
  /** The body may also come as this content type; `handle` then gets its bytes as `stream`, unread and unchecked, and no body. */
  stream?: { contentType: string; description: string };
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
  stream: Readable | undefined;
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
    // Made when somebody asks for it: it takes longer than all else in a start.
    config: { swaggerTransform: ({ url }: { url: string }) => ({ url, schema: documentation(route) }) },
    ...(route.bodyLimitBytes === undefined ? {} : { bodyLimit: route.bodyLimitBytes }),
    handler: async (request, reply) => {
      const stream = streamOf(route, request);
      return route.handle({
        params: parseWith(route.params ?? nothing, request.params, {
          code: 'USAGE',
          name: 'path',
        }) as z.output<Params>,
        query: parseWith(route.query ?? nothing, request.query, {
          code: 'USAGE',
          name: 'query',
        }) as z.output<Query>,
        body: parseWith(stream === undefined ? (route.body ?? nothing) : nothing, request.body, {
          code: route.bodyErrorCode ?? 'USAGE',
          name: 'body',
        }) as z.output<Body>,
        stream,
        request,
        reply,
        signal: signalOf(reply),
      });
    },
  });
}

function streamOf(
  { stream }: Pick<Route<z.ZodType, z.ZodType, z.ZodType>, 'stream'>,
  { body, headers }: FastifyRequest,
): Readable | undefined {
  const type = headers['content-type']?.toLowerCase();
  const isIt = stream !== undefined && type?.startsWith(stream.contentType) === true;
  return isIt && body instanceof Readable ? body : undefined;
}

function documentation(
  route: Pick<
    Route<z.ZodType, z.ZodType, z.ZodType>,
    'summary' | 'params' | 'query' | 'body' | 'stream' | 'reply'
  >,
): Record<string, unknown> {
  const asInput = (schema: z.ZodType): unknown =>
    z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return {
    summary: route.summary,
    ...(route.params === undefined ? {} : { params: asInput(route.params) }),
    ...(route.query === undefined ? {} : { querystring: asInput(route.query) }),
    ...(route.body === undefined ? {} : { body: bodyOf(asInput(route.body), route.stream) }),
    ...(route.reply === undefined
      ? {}
      : { response: { 200: z.toJSONSchema(route.reply, { unrepresentable: 'any' }) } }),
  };
}

const bodyOf = (json: unknown, stream: Route<z.ZodType, z.ZodType, z.ZodType>['stream']): unknown =>
  stream === undefined
    ? json
    : {
        content: {
          'application/json': { schema: json },
          [stream.contentType]: { schema: { type: 'string', description: stream.description } },
        },
      };

function signalOf(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
