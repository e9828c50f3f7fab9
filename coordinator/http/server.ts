import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Context } from '../services/context.ts';
import type { Follows } from '../services/follows.ts';
import type { Submitter } from '../services/submitter.ts';
import { installAuth } from './auth.ts';
import { installErrorHandlers } from './errors.ts';
import { addDarkPoolRoutes } from './dark-pools.ts';
import { addEventRoutes } from './events.ts';
import { addFleetRoutes } from './fleet.ts';
import { addInputRoutes } from './inputs.ts';
import { addJobRoutes } from './jobs.ts';
import { addLogRoutes } from './logs.ts';
import { addMetricRoutes } from './metrics.ts';
import { addOrderRoutes } from './orders.ts';
import { addPublishRoute } from './publish.ts';
import { addOutputRoutes } from './outputs.ts';
import { addTaskRoutes } from './tasks.ts';
import { addUploadRoutes } from './uploads.ts';

/** What the routes work with. */
export interface ApiContext extends Context {
  submitter: Submitter;
  follows: Follows;
  token: string;
  startedAt: number;
  version: string;
}

/** Bodies other than job submissions and inputs are small. */
const BODY_LIMIT_BYTES = 1024 * 1024;
/** Generous: it stops a client that went mad, not one that works hard. */
const REQUESTS_PER_MINUTE = 60_000;

/** In the place of what Ajv would make. */
const acceptAll = (() => true) as never;

/** The API, not yet listening. */
export async function buildServer(api: ApiContext): Promise<FastifyInstance> {
  const loggerInstance: FastifyBaseLogger = api.log;
  const logController = new LogController({ disableRequestLogging: true });
  const app = fastify({
    loggerInstance,
    logController,
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
    // Zod has checked what comes in and the compiler what goes out. Given here, the default ones are not even loaded.
    schemaController: {
      compilersFactory: {
        buildValidator: () => () => acceptAll,
        buildSerializer: () => () => (value: unknown) => JSON.stringify(value),
      },
    },
  });
  installErrorHandlers(app);
  allowEmptyBodies(app);
  passLines(app);
  installAuth(app, api.token);
  await app.register(helmet);
  await app.register(rateLimit, { max: REQUESTS_PER_MINUTE, timeWindow: 60_000 });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Clobi', version: api.version },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  });
  await app.register(async (routes) => addRoutes(routes, api));
  await app.ready();
  return app;
}

/** A call without arguments may say that it sends JSON and send nothing. */
function allowEmptyBodies(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parseJson(request, body.toString(), done);
  });
}

/** Lines are read by the routes that take them. */
function passLines(app: FastifyInstance): void {
  app.addContentTypeParser('application/x-ndjson', (_request, payload, done) => done(null, payload));
}

function addRoutes(app: FastifyInstance, api: ApiContext): void {
  addJobRoutes(app, api);
  addTaskRoutes(app, api);
  addLogRoutes(app, api);
  addEventRoutes(app, api);
  addOutputRoutes(app, api);
  addInputRoutes(app, api);
  addUploadRoutes(app, api);
  addFleetRoutes(app, api);
  addOrderRoutes(app, api);
  addPublishRoute(app, api);
  addDarkPoolRoutes(app, api);
  addMetricRoutes(app, api);
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
