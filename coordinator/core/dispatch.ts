import type { JobId } from '../../shared/ids.ts';
import type { JobCandidate, PoolLoad } from '../state/store.ts';
import { choosePlace, finishOf } from './choose.ts';
import { eligibility, type PlacePool, preference } from './place.ts';

/** A pool that may get work now. */
export interface PlanPool {
  place: PlacePool;
  load: PoolLoad;
  /** R9: whether it works again is to be seen: it gets one task. */
  onTrial?: boolean;
}

export interface PlanInput {
  candidates: readonly JobCandidate[];
  pools: readonly PlanPool[];
  /** Tasks outstanding of each owner, also of jobs that have nothing more to give. */
  owners: ReadonlyMap<string, number>;
  /** Work pushed ahead of what runs, in ms of the whole pool; null: everything. */
  lookaheadMs: number | null;
  /** Run time that one unit should hold. */
  unitTargetMs: number;
  /** What a task of unknown length counts for, as in `load`. */
  unknownMs: number;
  /** How many tasks of the job fit one message. */
  maxUnitTasks: (candidate: JobCandidate) => number;
}

/** Units of these sizes, of one job for one pool. */
export interface Order {
  job: JobId;
  pool: string;
  sizes: number[];
}

/** However long tasks are, so many a slot may be outstanding, and a unit a slot: one runs, one is at hand. */
const TASKS_A_SLOT = 2;
/** So many units a slot are outstanding while a job's units still grow. */
const UNITS_A_SLOT = 2;

/** More are left to the next pass: sizes then follow from what was measured meanwhile, and no transaction is long. */
const UNITS_A_PASS = 2_000;

/** The books of one pass: what each job, owner and pool would have if everything planned so far were done. */
interface Waiting {
  candidate: JobCandidate;
  /** Tasks that may run now; of those `left` may go out in this pass. */
  runnable: number;
  left: number;
  pools: EligiblePool[];
}
/** `liked`: how many of the job's preferences the pool meets. */
interface EligiblePool {
  pool: PlanningPool;
  liked: number;
}
interface PlanningPool {
  plan: PlanPool;
  /** Gets something in this pass; a pool that is full but for a little gets nothing. */
  open: boolean;
  tasks: number;
  units: number;
  workMs: number;
}

/**
 * Which ready tasks go where, and in units of what size (DESIGN §7). Order: priority, then the owner with the
 * fewest tasks outstanding, then submission. Among eligible pools with room: see choose.ts.
 */
export function planDispatch(input: PlanInput): Order[] {
  const pools = input.pools.map((plan) => ({
    plan,
    open: hasRoom(input, plan.load),
    tasks: plan.load.outstandingTasks,
    units: plan.load.outstandingUnits,
    workMs: plan.load.outstandingMs,
  }));
  const owners = new Map(input.owners);
  const orders = new Map<string, Order>();
  let units = 0;
  for (const sharing of byPriority(input.candidates)) {
    const waiting = new Set(
      sharing
        .map((candidate) => prepare(input, candidate, eligiblePools(candidate, pools)))
        .filter((job) => choosePool(input, job) !== undefined),
    );
    for (
      let job = fairest(waiting, owners);
      job !== undefined && units < UNITS_A_PASS;
      job = fairest(waiting, owners)
    ) {
      const pool = job.left > 0 ? choosePool(input, job) : undefined;
      // Pools only fill in one pass: who finds no room now will find none later.
      if (pool === undefined) {
        waiting.delete(job);
        continue;
      }
      const size = planUnit(input, job, pool);
      units += 1;
      owners.set(job.candidate.owner, (owners.get(job.candidate.owner) ?? 0) + size);
      addTo(orders, { job: job.candidate.job, pool: pool.plan.place.name }, size);
    }
  }
  return [...orders.values()];
}

/** Candidates of equal priority together, the highest first. */
function byPriority(candidates: readonly JobCandidate[]): JobCandidate[][] {
  const groups = Map.groupBy(candidates, ({ priority }) => priority);
  return [...groups].sort(([a], [b]) => b - a).map(([, group]) => group);
}

function prepare(input: PlanInput, candidate: JobCandidate, pools: EligiblePool[]): Waiting {
  const { ready, outstanding, spec } = candidate;
  const slots = pools.reduce((sum, { pool }) => sum + pool.plan.load.slots, 0);
  const runnable = Math.min(ready, (spec.maxParallel ?? Number.POSITIVE_INFINITY) - outstanding);
  const isShortOfWork = pools.some(({ pool }) => isShort(pool.plan.load, pool));
  const left = Math.min(runnable, leftWhileGrowing(input, candidate, { slots, isShortOfWork }));
  return { candidate, runnable, left, pools };
}

/**
 * While the units of a job still grow, only a few of them a slot are out: else the whole lookahead would be filled
 * with small ones before anything is learnt. Whole ones: what a few tasks leave free makes no unit, unless a slot may run dry.
 */
function leftWhileGrowing(
  input: PlanInput,
  candidate: JobCandidate,
  { slots, isShortOfWork }: { slots: number; isShortOfWork: boolean },
): number {
  const size = unitSize(input, candidate);
  const isGrowing = candidate.meanMs !== null && size === 2 * candidate.samples;
  if (!isGrowing || input.lookaheadMs === null) return Number.POSITIVE_INFINITY;
  const free = size * UNITS_A_SLOT * Math.max(1, slots) - candidate.outstanding;
  return isShortOfWork ? free : Math.floor(free / size) * size;
}

const eligiblePools = ({ spec, movedTo }: JobCandidate, pools: readonly PlanningPool[]): EligiblePool[] =>
  pools
    .filter(({ plan }) => eligibility(spec, plan.place, movedTo).eligible)
    .map((pool) => ({ pool, liked: preference(spec, pool.plan.place) }));

function fairest(waiting: Iterable<Waiting>, owners: ReadonlyMap<string, number>): Waiting | undefined {
  const rank = ({ candidate }: Waiting): number => owners.get(candidate.owner) ?? 0;
  let best: Waiting | undefined;
  for (const next of waiting) {
    if (
      best === undefined ||
      rank(next) < rank(best) ||
      (rank(next) === rank(best) && next.candidate.seq < best.candidate.seq)
    )
      best = next;
  }
  return best;
}

function choosePool(input: PlanInput, { pools, candidate }: Waiting): PlanningPool | undefined {
  const taskMs = candidate.meanMs ?? input.unknownMs;
  const choices = pools
    .filter(({ pool }) => roomOf(input, pool) > 0)
    .map(({ pool, liked }) => ({
      pool,
      liked,
      finishMs: finishOf(pool.workMs, pool.plan.load.slots, taskMs),
      pricePerCpuHour: pool.plan.place.pricePerCpuHour,
    }));
  return choosePlace(choices, input.unitTargetMs)?.pool;
}

type Bounds = Pick<PlanInput, 'lookaheadMs' | 'unitTargetMs'>;

/**
 * Whether a pool with this load may be given anything now: there must be room for a unit as long as units shall be. To fill
 * each gap that a few tasks leave would make units of a few tasks, and each of them costs messages.
 */
export function hasRoom(bounds: Bounds, load: PoolLoad): boolean {
  const { outstandingTasks: tasks, outstandingUnits: units, outstandingMs: workMs } = load;
  const room = roomLeft(bounds.lookaheadMs, load, { tasks, units, workMs });
  return room > 0 && (isShort(load, { tasks, units }) || room >= unitRoom(bounds, load));
}

/** What a unit may take of a pool's lookahead, in ms of one slot: what it aims at, but never more than half of all. */
const unitRoom = ({ lookaheadMs, unitTargetMs }: Bounds, { slots }: PoolLoad): number =>
  lookaheadMs === null ? unitTargetMs : Math.min(unitTargetMs, (lookaheadMs * slots) / 2);

function roomOf({ lookaheadMs }: PlanInput, pool: PlanningPool): number {
  if (!pool.open) return 0;
  const room = roomLeft(lookaheadMs, pool.plan.load, pool);
  if (!pool.plan.onTrial) return room;
  return pool.units > pool.plan.load.outstandingUnits ? 0 : Math.min(1, room);
}

/** How much more work the pool may be given, in ms of one slot; 0: none. A pool without a live agent gets nothing ahead of time. */
function roomLeft(
  lookaheadMs: number | null,
  load: PoolLoad,
  { tasks, units, workMs }: Pick<PlanningPool, 'tasks' | 'units' | 'workMs'>,
): number {
  if (lookaheadMs === null) return Number.POSITIVE_INFINITY;
  if (load.slots === 0) return 0;
  const room = lookaheadMs * load.slots - workMs;
  return room <= 0 && isShort(load, { tasks, units }) ? 1 : Math.max(0, room);
}

/** A slot may soon have nothing to do, however long the tasks are that are out. */
const isShort = ({ slots }: PoolLoad, { tasks, units }: Pick<PlanningPool, 'tasks' | 'units'>): boolean =>
  tasks < TASKS_A_SLOT * slots || units < slots;

/** Takes one unit of the job into the pool's books and returns its size. */
function planUnit(input: PlanInput, job: Waiting, pool: PlanningPool): number {
  const lengthMs = job.candidate.meanMs ?? input.unknownMs;
  // The last unit of a pass may reach beyond the lookahead: cut to the rest of the room it would be a small one.
  const leastMs = pool.plan.onTrial === true ? 0 : unitRoom(input, pool.plan.load);
  const roomMs = Math.max(roomOf(input, pool), leastMs);
  const inRoom = Math.max(1, Math.floor(roomMs / Math.max(lengthMs, 0.01)));
  const slots = Math.max(1, pool.plan.load.slots);
  // Every slot shall get a part of what is left; only then may a unit be as long as it likes.
  const fairPart = Math.ceil(job.runnable / slots);
  const size = Math.max(1, Math.min(unitSize(input, job.candidate), inRoom, fairPart, job.left));
  job.left -= size;
  job.runnable -= size;
  pool.tasks += size;
  pool.units += 1;
  pool.workMs += size * lengthMs;
  return size;
}

/**
 * One task while nothing is known of the job, then doubling with what was measured, until a unit holds the target's run
 * time. Long tasks go alone: none of them waits behind another.
 */
export function unitSize({ unitTargetMs, maxUnitTasks }: PlanInput, candidate: JobCandidate): number {
  const { meanMs, samples } = candidate;
  if (meanMs === null || meanMs > unitTargetMs / 2) return 1;
  const onTarget = Math.floor(unitTargetMs / Math.max(meanMs, 0.1));
  return Math.max(1, Math.min(onTarget, 2 * samples, maxUnitTasks(candidate)));
}

function addTo(orders: Map<string, Order>, at: { job: JobId; pool: string }, size: number): void {
  const key = `${at.job} ${at.pool}`;
  const order = orders.get(key);
  if (order === undefined) orders.set(key, { ...at, sizes: [size] });
  else order.sizes.push(size);
}
