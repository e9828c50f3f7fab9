import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ClobiError } from '../../shared/errors.ts';
import type { AgentId } from '../../shared/ids.ts';
import type { Pool } from '../services/context.ts';
import { costOf } from '../prices.ts';
import { isDark, poolHealth } from '../services/health.ts';
import { agentView, poolView, statusView, type PoolView, type StatusView } from './api.ts';
import { addRoute } from './route.ts';
import type { ApiContext } from './server.ts';

export function addFleetRoutes(app: FastifyInstance, api: ApiContext): void {
  const { state, signals } = api;
  const agents = z.object({ agents: z.array(agentView) });
  addRoute(app, {
    method: 'GET',
    url: '/v1/agents',
    summary: 'Agents heard of, live ones first',
    reply: agents,
    handle: () => ({ agents: state.agents() }),
  });
  addRoute(app, {
    method: 'POST',
    url: '/v1/agents/:agent/drain',
    summary: 'Ask an agent to finish what runs and take nothing more',
    params: z.object({ agent: z.string().min(1).max(256) }),
    query: z.object({ pool: z.string().max(64).optional() }),
    reply: agents,
    handle: ({ params, query }) => {
      const { pool } = query;
      const pools = state.requestDrain(params.agent as AgentId, pool);
      const where = pool === undefined ? '' : ` in pool ${pool}`;
      if (pools.length === 0)
        throw new ClobiError('NOT_FOUND', `There is no live agent ${params.agent}${where}.`);
      signals.ring('revokes');
      return {
        agents: state.agents().filter((one) => one.agent === params.agent && pools.includes(one.pool)),
      };
    },
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/pools',
    summary: 'Pools, their agents and their load',
    reply: z.object({ pools: z.array(poolView) }),
    handle: async () => ({ pools: await Promise.all(api.pools.map((pool) => viewPool(api, pool))) }),
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/status',
    summary: 'The coordinator itself',
    reply: statusView,
    handle: (): StatusView => {
      const { tasks, jobs } = state.totals();
      const { version, startedAt } = api;
      return {
        version,
        epoch: state.epoch(),
        startedAt,
        pid: process.pid,
        home: api.config.home,
        tasks,
        jobs,
      };
    },
  });
}

async function viewPool({ state }: ApiContext, pool: Pool): Promise<PoolView> {
  const load = state.load(pool.name, 0);
  const { provider, labels, region, pricePerCpuHour } = pool.config;
  const { mode, since: modeSince } = state.poolMode(pool.name);
  const { dark, since, why, operations } = poolHealth(pool);
  return {
    pool: pool.name,
    provider,
    labels: { ...labels },
    agents: load.liveAgents,
    slots: load.slots,
    outstandingTasks: load.outstandingTasks,
    outstandingUnits: load.outstandingUnits,
    region,
    pricePerCpuHour,
    mode,
    modeSince,
    comingBack: state.recalls(pool.name).length,
    // A queue that cannot be asked is no reason not to show the pool.
    queueDepth: isDark(pool) ? null : await pool.units.depth().catch(() => null),
    requests: requestsOf(state, pool.name),
    health: { dark, since, why, operations: { ...operations } },
  };
}

function requestsOf(state: ApiContext['state'], pool: string): PoolView['requests'] {
  const rows = state.requests().filter((row) => row.pool === pool);
  const operations = Object.fromEntries(rows.map(({ operation, total }) => [operation, total]));
  return { ...costOf(operations), operations };
}
