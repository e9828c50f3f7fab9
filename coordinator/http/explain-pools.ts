import type { JobId } from '../../shared/ids.ts';
import { formatDuration } from '../../shared/units-of-measure.ts';
import { finishOf, rankPlaces } from '../core/choose.ts';
import { hasRoom } from '../core/dispatch.ts';
import { eligibility, preference } from '../core/place.ts';
import type { Pool } from '../services/context.ts';
import { isDark, poolHealth } from '../services/health.ts';
import { placePool, takesWork, UNKNOWN_MS } from '../services/plan.ts';
import type { Explanation, JobView } from './api.ts';
import type { ApiContext } from './server.ts';

export interface Reason {
  code: string;
  text: string;
}

type PoolExplanation = Explanation['pools'][number];

/** How the planner sees each pool for the next task of the job: the ones it would choose first, in their order, then the others. */
export function explainPools(api: ApiContext, job: JobId): PoolExplanation[] {
  const spec = api.state.spec(job);
  const view = api.state.job(job);
  if (spec === undefined || view === undefined) return [];
  const taskMs = view.meanTaskMs ?? UNKNOWN_MS;
  const looks = api.pools.map((pool) => {
    const place = placePool(api, pool);
    const load = api.state.load(pool.name, UNKNOWN_MS);
    const { eligible, ruledOutBy } = eligibility(spec, place, view.movedTo);
    return {
      pool,
      ruledOutBy,
      eligible,
      takes: takesWork(api.state, pool),
      room: hasRoom(api.config, load),
      liked: preference(spec, place),
      finishMs: finishOf(load.outstandingMs, load.slots, taskMs),
      pricePerCpuHour: pool.config.pricePerCpuHour,
    };
  });
  const open = looks.filter(({ eligible, takes }) => eligible && takes);
  const ranked = rankPlaces(open, api.config.unitTargetMs);
  return [...ranked, ...looks.filter((look) => !ranked.includes(look))].map((look, at) => ({
    pool: look.pool.name,
    eligible: look.eligible,
    ruledOutBy: look.ruledOutBy,
    takesWork: look.takes,
    rank: ranked.includes(look) ? at + 1 : null,
    expectedFinishMs: Number.isFinite(look.finishMs) ? Math.round(look.finishMs) : null,
    pricePerCpuHour: look.pricePerCpuHour,
    why: describe(api, look),
  }));
}

interface Look {
  pool: Pool;
  eligible: boolean;
  ruledOutBy: readonly string[];
  takes: boolean;
  room: boolean;
  finishMs: number;
  pricePerCpuHour: number;
}

function describe(api: ApiContext, look: Look): string {
  if (!look.eligible) return look.ruledOutBy.join('; ');
  if (!look.takes) return whyNoWork(api, look.pool);
  const price = look.pricePerCpuHour === 0 ? '' : `, ${look.pricePerCpuHour} USD for a cpu hour`;
  if (!Number.isFinite(look.finishMs)) return `no live agent${price}`;
  const full = look.room ? '' : ', has as much work as it can soon run';
  return `one more task would be done in about ${formatDuration(Math.ceil(look.finishMs), 2)}${price}${full}`;
}

function whyNoWork({ state }: ApiContext, pool: Pool): string {
  const { mode, since } = state.poolMode(pool.name);
  if (mode === 'open' && isDark(pool)) return describeDark(poolHealth(pool));
  if (mode === 'open') return 'work is being called back from its queue';
  const when = since === null ? '' : ` since ${new Date(since).toISOString()}`;
  return `${mode}${when}; \`clobi pool resume ${pool.name}\` lets it take work again`;
}

/** `dark since 2026-01-01T00:00:00.000Z (units.send: …)`. */
export const describeDark = ({ since, why }: { since: number | null; why: string | null }): string =>
  `dark${since === null ? '' : ` since ${new Date(since).toISOString()}`}${why === null ? '' : ` (${why})`}`;

/** Why nothing of a job that has ready tasks is dispatched just now. */
export function waitingReasons(api: ApiContext, view: JobView, pools: readonly PoolExplanation[]): Reason[] {
  const eligible = pools.filter((pool) => pool.eligible);
  const [moved] = view.movedTo === null ? [] : [movedReason(view.movedTo, view.id)];
  if (eligible.length === 0) {
    const why = pools.map(({ pool, ruledOutBy }) => `${pool} ${ruledOutBy.join(', ')}`).join('; ');
    return withMove([{ code: 'no-eligible-pool', text: `No pool meets the requirements: ${why}.` }], moved);
  }
  return withMove(reasonsOf(api, view, eligible), moved);
}

const withMove = (reasons: Reason[], moved: Reason | undefined): Reason[] =>
  moved === undefined ? reasons : [...reasons, moved];

const movedReason = (to: string, job: string): Reason => ({
  code: 'moved',
  text: `It was moved to pool ${to}; \`clobi job move ${job} --anywhere\` lets it run wherever its placement allows.`,
});

function reasonsOf(api: ApiContext, view: JobView, eligible: readonly PoolExplanation[]): Reason[] {
  const maxParallel = api.state.spec(view.id as JobId)?.maxParallel ?? null;
  const outstanding = view.counts.dispatched + view.counts.running;
  if (maxParallel !== null && outstanding >= maxParallel) {
    const text = `The job already has ${plural(outstanding, 'task')} out, and maxParallel is ${maxParallel}.`;
    return [{ code: 'max-parallel', text }];
  }
  const taking = eligible.filter((pool) => pool.takesWork);
  if (taking.length === 0) {
    const text = `No pool that suits takes work: ${eligible.map(({ pool, why }) => `${pool} is ${why}`).join('; ')}.`;
    return [{ code: 'paused', text }];
  }
  if (taking.every(({ pool }) => api.state.load(pool, 0).liveAgents === 0)) {
    const names = taking.map(({ pool }) => pool).join(', ');
    const start = `\`clobi agent start --pool ${taking[0]?.pool ?? ''}\``;
    return [{ code: 'no-agents', text: `No agent is live in ${names}. Start one: ${start}.` }];
  }
  const text = 'It waits for its turn: the pools have as much work as they can soon run.';
  return [{ code: 'queued', text }];
}

export const plural = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? '' : 's'}`;
