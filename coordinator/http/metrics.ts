import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { addRoute } from './route.ts';
import type { ApiContext } from './server.ts';

export function addMetricRoutes(app: FastifyInstance, api: ApiContext): void {
  const { metrics, state } = api;
  metrics.gauge('clobi_tasks', 'Tasks by state.', ['state'], () =>
    Object.entries(state.totals().tasks).map(([name, value]) => ({ labels: { state: name }, value })),
  );
  for (const [name, help, read] of POOL_GAUGES) {
    metrics.gauge(name, help, ['pool'], () =>
      api.pools.map((pool) => ({ labels: { pool: pool.name }, value: state.load(pool.name, 0)[read] })),
    );
  }
  addRoute(app, {
    method: 'GET',
    url: '/metrics',
    summary: 'Measurements in the format of Prometheus',
    handle: async ({ reply }) =>
      reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  });
  addRoute(app, {
    method: 'GET',
    url: '/healthz',
    summary: 'Whether the coordinator runs; needs no token',
    reply: z.object({ ok: z.boolean() }),
    handle: () => ({ ok: true }),
  });
}

const POOL_GAUGES = [
  ['clobi_pool_outstanding_tasks', 'Tasks dispatched or running.', 'outstandingTasks'],
  ['clobi_pool_outstanding_units', 'Units dispatched and not over.', 'outstandingUnits'],
  ['clobi_pool_agents', 'Agents that take work.', 'liveAgents'],
  ['clobi_pool_slots', 'Slots of those agents.', 'slots'],
] as const;
