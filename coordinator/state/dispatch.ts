import { isPlanted } from '../../shared/fault.ts';
import { newUnitId, type UnitId } from '../../shared/ids.ts';
import { agentsOf } from './boots.ts';
import { logEvent } from './events.ts';
import { jobBySeq, type JobRow, neededJob, specOf, touchJob } from './job-rows.ts';
import { wasIn } from './over-marks.ts';
import { nothingApplied, type Session, type Work } from './session.ts';
import type { DispatchState, JobCandidate, PoolLoad, UnitRow } from './store.ts';
import { moveTask, restTask, taskAt, type TaskRow, listedTasks } from './tasks.ts';
import { changeLoad, tasksOfUnit, touchUnit, unitById } from './unit-rows.ts';

type Order = Parameters<DispatchState['createUnits']>[0];

/** R2: which tasks are ready, where units go, and the outbox that sends them. */
export const dispatchState = (s: Session): DispatchState => ({
  endBackoffs: (now) => s.transaction(() => endBackoffs({ s, now, applied: nothingApplied() })),
  candidates: (limit) => findCandidates(s, limit),
  outstandingByOwner: () => outstandingByOwner(s),
  load: (pool, unknownMs) => loadOf(s, pool, unknownMs),
  createUnits: (order) =>
    s.transaction(() => createUnits({ s, now: order.now, applied: nothingApplied() }, order)),
  unsentUnits: (pool, limit, except) => unsentUnits(s, pool, limit, except),
  markSent: (units, now) => s.transaction(() => markSent(s, units, now)),
  areUnsent: (units) =>
    s.transaction(() =>
      units.every((id) => {
        const unit = unitById(s, id);
        return unit?.sentAt === null && !unit.void && unit.open > 0;
      }),
    ),
  unmarkSent: (units) => s.transaction(() => unmarkSent(s, units)),
});

function endBackoffs(w: Work): { ended: number; nextAt: number | null } {
  const over = w.s
    .sql('SELECT job, idx FROM task_lists WHERE at IS NOT NULL AND at <= ? ORDER BY at')
    .all(w.now) as { job: number; idx: number }[];
  for (const { job: seq, idx } of over) {
    const job = jobBySeq(w.s, seq);
    const task = taskAt(w.s, job, idx);
    if (task === undefined) continue;
    moveTask(w, job, task, 'ready');
  }
  const next = w.s.sql('SELECT min(at) AS at FROM task_lists WHERE at IS NOT NULL').get() as {
    at: number | null;
  };
  return { ended: over.length, nextAt: next.at };
}

function findCandidates(s: Session, limit: number): JobCandidate[] {
  const first = s
    .sql(`SELECT seq, priority FROM jobs WHERE ${IS_CANDIDATE} ORDER BY priority DESC, seq LIMIT ?`)
    .all(limit) as unknown as Found[];
  const found = first.length < limit ? first : withEveryOwner(s, first, limit);
  return found.map(({ seq }) => {
    const job = jobBySeq(s, seq);
    return {
      job: job.id,
      owner: job.owner,
      priority: job.priority,
      seq,
      spec: specOf(s, job),
      ready: job.counts.ready,
      outstanding: job.counts.dispatched + job.counts.running,
      meanMs: job.samples === 0 ? null : job.runMs / job.samples,
      samples: job.samples,
      movedTo: job.movedTo,
    };
  });
}

const IS_CANDIDATE = 'ready > 0 AND held = 0 AND acknowledged_at IS NOT NULL';
/** With more owners than this, some wait for others. */
const MOST_OWNERS = 1_000;

interface Found {
  seq: number;
  priority: number;
}

/** Adds the first jobs of each owner: a share that is fair needs all of them, and the first ones may all be one owner's. */
function withEveryOwner(s: Session, first: readonly Found[], limit: number): Found[] {
  const owners = s
    .sql(
      `WITH RECURSIVE owners(owner) AS (
         SELECT min(owner) FROM jobs WHERE ${IS_CANDIDATE}
         UNION ALL
         SELECT (SELECT min(j.owner) FROM jobs j WHERE j.owner > owners.owner AND ${IS_CANDIDATE}) FROM owners WHERE owner IS NOT NULL
       ) SELECT owner FROM owners WHERE owner IS NOT NULL LIMIT ${MOST_OWNERS}`,
    )
    .all() as { owner: string }[];
  const found = new Map(first.map((row) => [row.seq, row]));
  const share = Math.ceil(limit / owners.length);
  for (const { owner } of owners) {
    const rows = s
      .sql(
        `SELECT seq, priority FROM jobs WHERE owner = ? AND ${IS_CANDIDATE} ORDER BY priority DESC, seq LIMIT ?`,
      )
      .all(owner, share) as unknown as Found[];
    for (const row of rows) found.set(row.seq, row);
  }
  return [...found.values()].sort((a, b) => b.priority - a.priority || a.seq - b.seq);
}

function outstandingByOwner(s: Session): Map<string, number> {
  const rows = s
    .sql('SELECT j.owner, sum(l.tasks) AS tasks FROM loads l JOIN jobs j ON j.seq = l.job GROUP BY j.owner')
    .all() as { owner: string; tasks: number }[];
  return new Map(rows.map(({ owner, tasks }) => [owner, tasks]));
}

function loadOf(s: Session, pool: string, unknownMs: number): PoolLoad {
  const load = { pool, outstandingTasks: 0, outstandingUnits: 0, outstandingMs: 0, ...agentsOf(s, pool) };
  for (const row of s.sql('SELECT job, tasks, units FROM loads WHERE pool = ?').all(pool) as {
    job: number;
    tasks: number;
    units: number;
  }[]) {
    const { runMs, samples } = jobBySeq(s, row.job);
    load.outstandingTasks += row.tasks;
    load.outstandingUnits += row.units;
    load.outstandingMs += row.tasks * (samples === 0 ? unknownMs : runMs / samples);
  }
  return load;
}

function createUnits(w: Work, order: Order): UnitRow[] {
  const job = neededJob(w.s, order.job);
  if (job.held) return [];
  const { retry, maxParallel } = specOf(w.s, job);
  const room =
    maxParallel === null
      ? Number.POSITIVE_INFINITY
      : maxParallel - job.counts.dispatched - job.counts.running;
  const total = order.sizes.reduce((sum, size) => sum + size, 0);
  const tasks = pickReady(w.s, job, Math.min(total, room));
  const units: UnitRow[] = [];
  let next = 0;
  for (const size of order.sizes) {
    const part = tasks.slice(next, next + size);
    if (part.length === 0) break;
    next += size;
    units.push(createUnit(w, job, part, { ...order, markFirst: retry.lost === 0 || isPlanted('no-outbox') }));
  }
  return units;
}

/** Lowest index first, whether with a row (it was ready before) or of the rest. */
function pickReady(s: Session, job: JobRow, count: number): TaskRow[] {
  if (count <= 0) return [];
  const rows = listedTasks(s, job, 'ready', { after: -1, limit: count });
  if (job.restState !== 'ready') return rows;
  const rest = pickRest(s, job, count - rows.filter(({ idx }) => idx < job.restFrom).length);
  return [...rows, ...rest].sort((a, b) => a.idx - b.idx).slice(0, count);
}

function pickRest(s: Session, job: JobRow, count: number): TaskRow[] {
  const picked: TaskRow[] = [];
  const hasHoles = job.size - job.restFrom > job.restCount;
  for (let index = job.restFrom; picked.length < count && index < job.size; index += 1) {
    const task = hasHoles ? taskAt(s, job, index) : restTask(job, index);
    if (task?.fromRest === true && job.restCount > picked.length) picked.push(task);
  }
  return picked;
}

function createUnit(
  w: Work,
  job: JobRow,
  tasks: readonly TaskRow[],
  order: Order & { markFirst: boolean },
): UnitRow {
  const { s } = w;
  const unit = newUnitId(s.epoch);
  const numbers = tasks.flatMap(({ idx, n }) => [idx, n + 1]);
  const { lastInsertRowid } = s
    .sql(
      `INSERT INTO units(id, pool, job, tasks, size, open, created_at, not_after, mark_first, sent_at, void, heard, claims, returned)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0, 0, 0, 0)`,
    )
    .run(
      unit,
      order.pool,
      job.seq,
      JSON.stringify(numbers),
      tasks.length,
      tasks.length,
      order.now,
      order.notAfter,
      order.markFirst ? 1 : 0,
    );
  const uid = Number(lastInsertRowid);
  for (const task of tasks) {
    task.n += 1;
    task.epoch = s.epoch;
    task.unit = uid;
    task.run = null;
    task.agent = null;
    moveTask(w, job, task, 'dispatched');
  }
  changeLoad(s, { pool: order.pool, job: job.seq }, tasks.length, 1);
  wasIn(s, job, order.pool);
  touchJob(s, job);
  logEvent(s, job, {
    at: order.now,
    type: 'dispatched',
    text: `unit ${unit} with ${describeTasks(tasks)} goes to pool ${order.pool}`,
  });
  return {
    unit,
    pool: order.pool,
    job: job.id,
    tasks: tasks.map(({ idx, n }) => ({ index: idx, attempt: n })),
    createdAt: order.now,
    notAfter: order.notAfter,
    markFirst: order.markFirst,
    recall: false,
  };
}

function describeTasks(tasks: readonly TaskRow[]): string {
  const first = tasks[0]?.idx ?? 0;
  const last = tasks.at(-1)?.idx ?? first;
  if (first === last) return `task ${first}`;
  return last - first + 1 === tasks.length
    ? `tasks ${first} to ${last}`
    : `${tasks.length} tasks between ${first} and ${last}`;
}

function unsentUnits(s: Session, pool: string, limit: number, except: ReadonlySet<UnitId> = NONE): UnitRow[] {
  const rows = s
    .sql(
      `SELECT uid, id, job, size, open, created_at, not_after, mark_first, recall FROM units
       WHERE pool = ? AND sent_at IS NULL AND void = 0 AND open > 0 ORDER BY uid LIMIT ?`,
    )
    .all(pool, limit + except.size) as unknown as UnsentRow[];
  const wanted = rows.filter(({ id }) => !except.has(id)).slice(0, limit);
  return wanted.map((row) => {
    const job = jobBySeq(s, row.job);
    const tasks = tasksOfUnit(s, row.uid);
    return {
      unit: row.id,
      pool,
      job: job.id,
      tasks: row.open === row.size ? tasks : tasks.filter(({ index }) => isStillIn(s, job, index, row.uid)),
      createdAt: row.created_at,
      notAfter: row.not_after,
      markFirst: row.mark_first === 1,
      recall: row.recall === 1,
    };
  });
}

const NONE: ReadonlySet<UnitId> = new Set();

interface UnsentRow {
  uid: number;
  id: UnitId;
  job: number;
  size: number;
  open: number;
  created_at: number;
  not_after: number;
  mark_first: number;
  recall: number;
}

function isStillIn(s: Session, job: JobRow, index: number, uid: number): boolean {
  const task = taskAt(s, job, index);
  return task?.unit === uid && task.state === 'dispatched';
}

function markSent(s: Session, units: readonly UnitId[], now: number): void {
  for (const id of units) {
    const unit = unitById(s, id);
    if (unit === undefined || unit.sentAt !== null) continue;
    unit.sentAt = now;
    touchUnit(unit);
  }
}

function unmarkSent(s: Session, units: readonly UnitId[]): void {
  for (const id of units) {
    const unit = unitById(s, id);
    if (unit === undefined || unit.heard) continue;
    unit.sentAt = null;
    touchUnit(unit);
  }
}
