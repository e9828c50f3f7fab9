import type { JobSpec } from '../../shared/job-spec.ts';
import { MAX_UNIT_BYTES } from '../../shared/wire/unit.ts';
import { hasRoom, type Order, planDispatch } from '../core/dispatch.ts';
import type { PlacePool } from '../core/place.ts';
import type { JobCandidate } from '../state/store.ts';
import { MAX_INLINE_SPEC_BYTES } from './build-unit.ts';
import { canonicalJson } from './canonical.ts';
import type { Context, Pool } from './context.ts';
import { isDark, isOnTrial } from './health.ts';

/** What a task counts for until one of its job has run, in ms. */
export const UNKNOWN_MS = 1_000;
/** Signature, ids and times of a message. */
const ENVELOPE_BYTES = 1_024;
/** `{"attempt":"<epoch>.<n>","index":<index>},` with large numbers. */
const BARE_TASK_BYTES = 56;
/** The same with a reference to its parameters, should they not fit: key and hash. */
const REFERENCED_TASK_BYTES = 280;

/** False when no pool may be given anything: then no job need be looked at. */
export const anyRoom = ({ config, pools, state }: Context): boolean =>
  pools.some((pool) => takesWork(state, pool) && hasRoom(config, state.load(pool.name, UNKNOWN_MS)));

/** Asks the planner where the ready tasks of these jobs go now. */
export function planFor(context: Context, candidates: readonly JobCandidate[]): Order[] {
  if (candidates.length === 0) return [];
  const { config, pools, state } = context;
  return planDispatch({
    candidates,
    pools: pools
      .filter((pool) => mayGetWork(context, pool))
      .map((pool) => ({
        place: placePool(context, pool),
        load: state.load(pool.name, UNKNOWN_MS),
        onTrial: isOnTrial(pool),
      })),
    owners: state.outstandingByOwner(),
    lookaheadMs: config.lookaheadMs,
    unitTargetMs: config.unitTargetMs,
    unknownMs: UNKNOWN_MS,
    maxUnitTasks: ({ spec }) => maxUnitTasks(spec),
  });
}

/** R9: not a dark pool; one on trial gets no more before what it has got is sent. */
const mayGetWork = ({ state }: Context, pool: Pool): boolean =>
  takesWork(state, pool) && !(isOnTrial(pool) && state.unsentUnits(pool.name, 1).length > 0);

/** It is not dark, nobody has ordered otherwise, and nothing is being called back from it. */
export const takesWork = (state: Context['state'], pool: Pool): boolean =>
  !isDark(pool) && !pool.recall.active && state.poolMode(pool.name).mode === 'open';

/** A pool as placement sees it: what is configured, and what its live agents have. */
export function placePool({ state }: Pick<Context, 'state'>, pool: Pool): PlacePool {
  const { provider, region, archs, labels, pricePerCpuHour } = pool.config;
  return {
    name: pool.name,
    provider,
    region,
    archs,
    labels,
    pricePerCpuHour,
    shapes: state.load(pool.name, UNKNOWN_MS).shapes,
  };
}

/** So many tasks of a job fit one message for certain, whatever their parameters are. */
export function maxUnitTasks(spec: JobSpec): number {
  const known = unitTasks.get(spec);
  if (known !== undefined) return known;
  const specBytes = canonicalJson(spec).length;
  const carried = specBytes <= MAX_INLINE_SPEC_BYTES ? specBytes : 0;
  const bare =
    spec.tasks.kind === 'count' && spec.upstreamInputs.length === 0 && (spec.remoteInputs ?? []).length === 0;
  const free = MAX_UNIT_BYTES - ENVELOPE_BYTES;
  // With parameters by reference, the spec is by reference, too.
  const most = bare ? (free - carried) / BARE_TASK_BYTES : free / REFERENCED_TASK_BYTES;
  unitTasks.set(spec, Math.floor(most));
  return Math.floor(most);
}

/** Specs do not change, and reading one again costs more than its number. */
const unitTasks = new WeakMap<JobSpec, number>();
