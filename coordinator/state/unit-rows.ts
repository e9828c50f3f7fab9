import { ClobiError } from '../../shared/errors.ts';
import type { UnitId } from '../../shared/ids.ts';
import type { Session } from './session.ts';

/** A unit's row in memory for one transaction. Whoever changes it calls `touchUnit`. */
export interface UnitRecord {
  uid: number;
  id: UnitId;
  pool: string;
  job: number;
  size: number;
  /** Tasks whose newest attempt is in this unit and not over. */
  open: number;
  createdAt: number;
  notAfter: number;
  sentAt: number | null;
  void: boolean;
  /** Ever claimed or ever returned. */
  heard: boolean;
  /** Live claims. */
  claims: number;
  returned: boolean;
  /** Handed back at count 1 by this boot … */
  freeBoot: number | null;
  /** … which did not begin these tasks. */
  freeTasks: number[] | null;
  dirty: boolean;
}

export interface LoadChange {
  pool: string;
  job: number;
  tasks: number;
  units: number;
}

const COLUMNS =
  'uid, id, pool, job, size, open, created_at, not_after, sent_at, void, heard, claims, returned, free_boot, free_tasks';

export function unitById(s: Session, id: UnitId): UnitRecord | undefined {
  const row = s.sql('SELECT uid FROM units WHERE id = ?').get(id) as { uid: number } | undefined;
  return row === undefined ? undefined : unitByUid(s, row.uid);
}

export function unitByUid(s: Session, uid: number): UnitRecord {
  const known = s.units.get(uid);
  if (known !== undefined) return known;
  const row = s.sql(`SELECT ${COLUMNS} FROM units WHERE uid = ?`).get(uid) as Row | undefined;
  if (row === undefined) throw new ClobiError('INTERNAL', `There is no unit number ${uid}.`);
  const unit = fromRow(row);
  s.units.set(uid, unit);
  return unit;
}

export function touchUnit(unit: UnitRecord): void {
  unit.dirty = true;
}

/** Index and attempt number of each task that was put into the unit. */
export function tasksOfUnit(s: Session, uid: number): { index: number; attempt: number }[] {
  const { tasks } = s.sql('SELECT tasks FROM units WHERE uid = ?').get(uid) as { tasks: string };
  const numbers = JSON.parse(tasks) as number[];
  const found = [];
  for (let at = 0; at < numbers.length; at += 2)
    found.push({ index: numbers[at] as number, attempt: numbers[at + 1] as number });
  return found;
}

/** Counts a change of what is outstanding of the unit's job in its pool. */
export function changeLoad(
  s: Session,
  at: { pool: string; job: number },
  tasks: number,
  units: number,
): void {
  const key = `${at.job} ${at.pool}`;
  const change = s.loads.get(key) ?? { pool: at.pool, job: at.job, tasks: 0, units: 0 };
  change.tasks += tasks;
  change.units += units;
  s.loads.set(key, change);
}

/** One task of the unit is over, or its next attempt will be another's. */
export function leaveUnit(s: Session, uid: number): void {
  const unit = unitByUid(s, uid);
  unit.open -= 1;
  touchUnit(unit);
  changeLoad(s, unit, -1, unit.open === 0 ? -1 : 0);
}

export function writeUnits(s: Session): void {
  for (const unit of s.units.values()) {
    if (!unit.dirty) continue;
    unit.dirty = false;
    const { open, sentAt, heard, claims, returned, freeBoot, freeTasks, uid } = unit;
    const tasks = freeTasks === null ? null : JSON.stringify(freeTasks);
    s.sql(UPDATE).run(
      open,
      sentAt,
      Number(unit.void),
      Number(heard),
      claims,
      Number(returned),
      freeBoot,
      tasks,
      uid,
    );
  }
}

const UPDATE =
  'UPDATE units SET open = ?, sent_at = ?, void = ?, heard = ?, claims = ?, returned = ?, free_boot = ?, free_tasks = ? WHERE uid = ?';

export function writeLoads(s: Session): void {
  for (const { pool, job, tasks, units } of s.loads.values()) {
    s.sql(
      'INSERT INTO loads(pool, job, tasks, units) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks, units = units + excluded.units',
    ).run(pool, job, tasks, units);
    s.sql('DELETE FROM loads WHERE pool = ? AND job = ? AND tasks = 0 AND units = 0').run(pool, job);
  }
  s.loads.clear();
}

interface Row {
  uid: number;
  id: UnitId;
  pool: string;
  job: number;
  size: number;
  open: number;
  created_at: number;
  not_after: number;
  sent_at: number | null;
  void: number;
  heard: number;
  claims: number;
  returned: number;
  free_boot: number | null;
  free_tasks: string | null;
}

const fromRow = (row: Row): UnitRecord => ({
  uid: row.uid,
  id: row.id,
  pool: row.pool,
  job: row.job,
  size: row.size,
  open: row.open,
  createdAt: row.created_at,
  notAfter: row.not_after,
  sentAt: row.sent_at,
  void: row.void === 1,
  heard: row.heard === 1,
  claims: row.claims,
  returned: row.returned === 1,
  freeBoot: row.free_boot,
  freeTasks: row.free_tasks === null ? null : (JSON.parse(row.free_tasks) as number[]),
  dirty: false,
});
