import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Pool } from '../services/context.ts';
import { isDark, poolHealth } from '../services/health.ts';
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
  metrics.gauge('clobi_pool_dark', '1 while the pool cannot be reached.', ['pool'], () =>
    api.pools.map((pool) => ({ labels: { pool: pool.name }, value: isDark(pool) ? 1 : 0 })),
  );
  metrics.gauge(
    'clobi_operation_refused',
    '1 while calls of the operation are not made because it failed.',
    ['pool', 'operation'],
    () => api.pools.flatMap(refusedOf),
  );
  metrics.counterOf(
    'clobi_requests_total',
    'Requests to providers, by us and by agents.',
    ['pool', 'operation'],
    () =>
      state.requests().map(({ pool, operation, total }) => ({ labels: { pool, operation }, value: total })),
  );
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

function refusedOf(pool: Pool): { labels: Record<string, string>; value: number }[] {
  return Object.entries(poolHealth(pool).operations).map(([operation, { state }]) => ({
    labels: { pool: pool.name, operation },
    value: state === 'open' || state === 'stopped' ? 1 : 0,
  }));
}

const POOL_GAUGES = [
  ['clobi_pool_outstanding_tasks', 'Tasks dispatched or running.', 'outstandingTasks'],
  ['clobi_pool_outstanding_units', 'Units dispatched and not over.', 'outstandingUnits'],
  ['clobi_pool_agents', 'Agents that take work.', 'liveAgents'],
  ['clobi_pool_slots', 'Slots of those agents.', 'slots'],
] as const;
