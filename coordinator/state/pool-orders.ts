import { epochOfUnit, type JobId, type UnitId } from '../../shared/ids.ts';
import type { PoolMode } from '../core/pool-mode.ts';
import { logEvent } from './events.ts';
import { jobBySeq, type JobRow, neededJob, touchJob } from './job-rows.ts';
import { voidUnit } from './liveness.ts';
import { applyIn, type Session, type Work } from './session.ts';
import type { AskedBack, OrderState, TakenBack } from './store.ts';
import { taskAt } from './tasks.ts';
import { tasksOfUnit, touchUnit, unitById, type UnitRecord } from './unit-rows.ts';

/** As sender of a hand-back, the coordinator itself; boots count from 1. */
const OURSELVES = 0;

/** What people order for pools and jobs, and how work that waits comes back (R3: not begun, nobody's loss). */
export const orderState = (s: Session): OrderState => ({
  poolMode: (pool) => {
    const row = s.sql('SELECT mode, since FROM pool_modes WHERE pool = ?').get(pool);
    if (row === undefined) return { mode: 'open', since: null };
    return { mode: row['mode'] as PoolMode, since: row['since'] as number };
  },
  setPoolMode: (pool, mode, now) => s.transaction(() => setPoolMode(s, pool, mode, now)),
  moveJob: (job, order, now) => s.transaction(() => moveJob(s, job, { ...order, now })),
  recalls: (pool) =>
    s
      .sql('SELECT id FROM units WHERE pool = ? AND recall = 1 AND void = 0 AND open > 0 ORDER BY uid')
      .all(pool)
      .map(({ id }) => id as UnitId),
  waitingRecalls: (pool) => {
    const text =
      'SELECT count(*) AS n FROM units WHERE pool = ? AND recall = 1 AND void = 0 AND open > 0 AND heard = 0 AND sent_at IS NOT NULL';
    return (s.sql(text).get(pool) as { n: number }).n;
  },
  takeBack: (messages, now) => takeBack(s, messages, now),
  takeBackUnsent: (units, now) =>
    applyIn(s, now, (w) => {
      for (const id of units) takeBackUnsent(w, id);
    }),
});

function setPoolMode(s: Session, pool: string, mode: PoolMode, now: number): AskedBack {
  s.sql('DELETE FROM pool_modes WHERE pool = ? AND mode <> ?').run(pool, mode);
  if (mode === 'open') return { units: 0, tasks: 0 };
  s.sql('INSERT OR IGNORE INTO pool_modes(pool, mode, since) VALUES (?, ?, ?)').run(pool, mode, now);
  return mode === 'evacuated' ? evacuate(s, pool, now) : { units: 0, tasks: 0 };
}

function evacuate(s: Session, pool: string, now: number): AskedBack {
  const total = { units: 0, tasks: 0 };
  const rows = s.sql('SELECT job FROM loads WHERE pool = ? AND units > 0').all(pool) as { job: number }[];
  for (const { job: seq } of rows) {
    const job = jobBySeq(s, seq);
    const units = s
      .sql('SELECT uid FROM units WHERE job = ? AND open > 0 AND void = 0 AND recall = 0 AND pool = ?')
      .all(seq, pool) as { uid: number }[];
    const asked = askBack(s, job, units);
    if (asked.units > 0)
      logEvent(s, job, { at: now, type: 'recalled', text: `pool ${pool} is evacuated: ${describe(asked)}` });
    total.units += asked.units;
    total.tasks += asked.tasks;
  }
  return total;
}

interface Move {
  to: string | null;
  pending: boolean;
  now: number;
}

function moveJob(s: Session, id: JobId, { to, pending, now }: Move): AskedBack {
  const job = neededJob(s, id);
  const isNews = job.movedTo !== to;
  job.movedTo = to;
  touchJob(s, job);
  const asked = to === null || pending ? { units: 0, tasks: 0 } : askBackFromOthers(s, job, to);
  if (isNews || asked.units > 0) {
    const where = to === null ? 'wherever its placement allows' : `to pool ${to} and no other`;
    const what = asked.units === 0 ? '' : `; ${describe(asked)}`;
    logEvent(s, job, { at: now, type: 'moved', text: `what is not dispatched yet goes ${where}${what}` });
  }
  return asked;
}

function askBackFromOthers(s: Session, job: JobRow, to: string): AskedBack {
  const units = s
    .sql('SELECT uid FROM units WHERE job = ? AND open > 0 AND void = 0 AND recall = 0 AND pool <> ?')
    .all(job.seq, to) as { uid: number }[];
  return askBack(s, job, units);
}

/** Only units of which something may not have begun. */
function askBack(s: Session, job: JobRow, units: readonly { uid: number }[]): AskedBack {
  const asked = { units: 0, tasks: 0 };
  for (const { uid } of units) {
    const waiting = waitingTasks(s, job, uid);
    if (waiting === 0) continue;
    s.sql('UPDATE units SET recall = 1 WHERE uid = ?').run(uid);
    asked.units += 1;
    asked.tasks += waiting;
  }
  return asked;
}

const waitingTasks = (s: Session, job: JobRow, uid: number): number =>
  tasksOfUnit(s, uid).filter(({ index }) => {
    const task = taskAt(s, job, index);
    return task?.unit === uid && task.state === 'dispatched';
  }).length;

const describe = ({ units, tasks }: AskedBack): string =>
  `${units} ${units === 1 ? 'unit' : 'units'} with ${tasks} ${tasks === 1 ? 'task' : 'tasks'} not known to have begun asked back`;

function takeBack(s: Session, messages: Parameters<OrderState['takeBack']>[0], now: number): TakenBack {
  const back: UnitId[] = [];
  const unknown: UnitId[] = [];
  const applied = applyIn(s, now, (w) => {
    for (const { unit: id, receiveCount } of messages) {
      const unit = unitById(s, id);
      // A unit of a former life, before a rebuild, is over whatever becomes of its message.
      if (unit === undefined && epochOfUnit(id) >= s.epoch) unknown.push(id);
      if (unit === undefined || unit.void || unit.open === 0) continue;
      if (comesBack(w, unit, receiveCount)) back.push(id);
    }
  });
  return { applied, back, unknown };
}

/**
 * The coordinator received the unit's message as an agent would, and hands it back: at count 1, or where no agent can have
 * had it, nothing of it was begun. Otherwise it is a `returned` like any other, and R7 decides.
 */
function comesBack(w: Work, unit: UnitRecord, receiveCount: number): boolean {
  const { s } = w;
  const isFirst = receiveCount === 1 || wasAlone(s, unit);
  // Not `hearOfUnit`: that a later unit was overtaken by us says nothing of what agents have passed over.
  unit.heard = true;
  unit.returned = true;
  if (isFirst && unit.freeBoot === null) {
    unit.freeBoot = OURSELVES;
    unit.freeTasks = tasksOfUnit(s, unit.uid).map(({ index }) => index);
  }
  touchUnit(unit);
  const claimed = s.sql('SELECT 1 FROM claims WHERE unit = ?').get(unit.uid) !== undefined;
  if (!isFirst || claimed) return false;
  noteReturn(w, unit);
  voidUnit(w, unit.id, 'returned');
  return true;
}

/** No agent of the pool was there at any time since the unit was made: whoever received it before was a former life of ours. */
const wasAlone = (s: Session, unit: UnitRecord): boolean =>
  !unit.heard &&
  s
    .sql('SELECT 1 FROM boots WHERE pool = ? AND (ended IS NULL OR heard_at >= ?)')
    .get(unit.pool, unit.createdAt) === undefined;

/** Its message was never sent: the caller knows it. */
function takeBackUnsent(w: Work, id: UnitId): void {
  const { s } = w;
  const unit = unitById(s, id);
  if (unit === undefined || unit.void || unit.open === 0 || unit.sentAt !== null) return;
  unit.heard = true;
  unit.returned = true;
  unit.freeBoot = OURSELVES;
  unit.freeTasks = tasksOfUnit(s, unit.uid).map(({ index }) => index);
  touchUnit(unit);
  noteReturn(w, unit);
  voidUnit(w, id, 'returned');
}

function noteReturn({ s, now }: Work, unit: UnitRecord): void {
  const text = `unit ${unit.id} with ${unit.open} ${unit.open === 1 ? 'task' : 'tasks'} came back from pool ${unit.pool} before it was begun`;
  logEvent(s, jobBySeq(s, unit.job), { at: now, type: 'returned', text });
}
