import type { JobId } from '../../shared/ids.ts';
import type { JobCandidate, PoolLoad } from '../state/store.ts';
import { eligibility, type PlacePool, preference } from './place.ts';

/** A pool that may get work now. */
export interface PlanPool {
  place: PlacePool;
  load: PoolLoad;
}

export interface PlanInput {
  candidates: readonly JobCandidate[];
  pools: readonly PlanPool[];
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

/** However little is known, so many tasks a slot may be outstanding: one runs, one is at hand. */
const TASKS_A_SLOT = 2;

/** The books of one pass: what each job, owner and pool would have if everything planned so far were done. */
interface Waiting {
  candidate: JobCandidate;
  left: number;
  pools: PlanningPool[];
}
interface PlanningPool {
  plan: PlanPool;
  tasks: number;
  workMs: number;
}

/**
 * Which ready tasks go where, and in units of what size (DESIGN §7). Order: priority, then the owner with the
 * fewest tasks outstanding, then submission. Among eligible pools with room: preference, then the earliest expected finish.
 */
export function planDispatch(input: PlanInput): Order[] {
  const pools = input.pools.map((plan) => ({ plan, tasks: plan.load.outstandingTasks, workMs: plan.load.outstandingMs }));
  const owners = new Map<string, number>();
  for (const { owner, outstanding } of input.candidates) owners.set(owner, (owners.get(owner) ?? 0) + outstanding);
  const orders = new Map<string, Order>();
  for (const sharing of byPriority(input.candidates)) {
    let waiting = sharing.map((candidate) => ({ candidate, left: tasksAllowed(candidate), pools: eligiblePools(candidate, pools) }));
    for (;;) {
      waiting = waiting.filter((job) => job.left > 0 && choosePool(input, job) !== undefined);
      const job = fairest(waiting, owners);
      const pool = job === undefined ? undefined : choosePool(input, job);
      if (job === undefined || pool === undefined) break;
      const size = planUnit(input, job, pool);
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

const tasksAllowed = ({ ready, outstanding, spec }: JobCandidate): number =>
  spec.maxParallel === null ? ready : Math.min(ready, spec.maxParallel - outstanding);

const eligiblePools = ({ spec }: JobCandidate, pools: readonly PlanningPool[]): PlanningPool[] =>
  pools
    .filter(({ plan }) => eligibility(spec, plan.place).eligible)
    .sort((a, b) => preference(spec, b.plan.place) - preference(spec, a.plan.place));

function fairest(waiting: readonly Waiting[], owners: ReadonlyMap<string, number>): Waiting | undefined {
  const rank = ({ candidate }: Waiting): number => owners.get(candidate.owner) ?? 0;
  return waiting.reduce<Waiting | undefined>((best, next) => {
    if (best === undefined || rank(next) < rank(best)) return next;
    return rank(next) === rank(best) && next.candidate.seq < best.candidate.seq ? next : best;
  }, undefined);
}

/** The pool with room that would be done first; pools that the job prefers more are asked before the others. */
function choosePool(input: PlanInput, { candidate, pools }: Waiting): PlanningPool | undefined {
  const open = pools.filter((pool) => roomOf(input, pool) > 0);
  const liked = Math.max(...open.map(({ plan }) => preference(candidate.spec, plan.place)));
  const finish = ({ plan, workMs }: PlanningPool): number => workMs / Math.max(1, plan.load.slots);
  return open
    .filter(({ plan }) => preference(candidate.spec, plan.place) === liked)
    .reduce<PlanningPool | undefined>((best, next) => (best === undefined || finish(next) < finish(best) ? next : best), undefined);
}

/** How much more work the pool may be given, in ms of one slot; 0: none. A pool without a live agent gets nothing ahead of time. */
function roomOf({ lookaheadMs }: PlanInput, { plan: { load }, tasks, workMs }: PlanningPool): number {
  if (lookaheadMs === null) return Number.POSITIVE_INFINITY;
  if (load.slots === 0) return 0;
  const room = lookaheadMs * load.slots - workMs;
  return room <= 0 && tasks < TASKS_A_SLOT * load.slots ? 1 : Math.max(0, room);
}

/** Takes one unit of the job into the pool's books and returns its size. */
function planUnit(input: PlanInput, job: Waiting, pool: PlanningPool): number {
  const lengthMs = job.candidate.meanMs ?? input.unknownMs;
  const inRoom = Math.max(1, Math.floor(roomOf(input, pool) / Math.max(lengthMs, 0.01)));
  const slots = Math.max(1, pool.plan.load.slots);
  // Every slot shall get a part of what is left; only then may a unit be as long as it likes.
  const fairPart = Math.ceil(job.left / slots);
  const size = Math.max(1, Math.min(unitSize(input, job.candidate), inRoom, fairPart, job.left));
  job.left -= size;
  pool.tasks += size;
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
