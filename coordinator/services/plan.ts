import { type Order, planDispatch } from '../core/dispatch.ts';
import type { PlacePool } from '../core/place.ts';
import type { JobCandidate } from '../state/store.ts';
import type { Context, Pool } from './context.ts';

export type { Order } from '../core/dispatch.ts';

const MAX_UNIT_TASKS = 1_000;
/** Of the 48 KiB of a message: the rest is for the spec and the signature. */
const BYTES_FOR_TASKS = 30 * 1024;
/** `{"index":123456,"attempt":"1.1"},` and some air. */
const BYTES_A_BARE_TASK = 40;
/** Tasks of unknown length are pushed so sparsely that a slot has one running and one at hand. */
const UNKNOWN_TASKS_A_SLOT = 2;

/** Asks the planner with what the state knows now. */
export function planFor(context: Context, candidates: readonly JobCandidate[]): Order[] {
  if (candidates.length === 0) return [];
  const { state, config } = context;
  const unknownMs = (config.lookaheadMs ?? 0) / UNKNOWN_TASKS_A_SLOT;
  return planDispatch({
    candidates,
    pools: context.pools.map((pool) => ({ place: placePool(context, pool), load: state.load(pool.name, unknownMs) })),
    lookaheadMs: config.lookaheadMs,
    unitTargetMs: config.unitTargetMs,
    unknownMs,
    maxUnitTasks: (candidate) => tasksInMessage(context, candidate),
  });
}

/** A pool as configured, with the distinct kinds of its live agents. */
export function placePool({ state }: Pick<Context, 'state'>, { name, config }: Pool): PlacePool {
  const { provider, region, archs, labels } = config;
  return { name, provider, region, archs, labels, shapes: state.load(name, 0).shapes };
}

/** By the params of its first task; where others are much larger they go by claim check. */
function tasksInMessage({ state }: Context, { job, spec }: JobCandidate): number {
  if (spec.tasks.kind === 'count' && spec.upstreamInputs.length === 0) return MAX_UNIT_TASKS;
  const index = spec.retryOf?.indices[0] ?? 0;
  const bytes = BYTES_A_BARE_TASK + JSON.stringify(state.params(job, index) ?? {}).length;
  // What comes from upstream tasks is only known once they are committed: a few files a task.
  const upstream = spec.upstreamInputs.length * 500;
  return Math.max(1, Math.min(MAX_UNIT_TASKS, Math.floor(BYTES_FOR_TASKS / (bytes + upstream))));
}
