import type { UnitId } from '../../shared/ids.ts';
import type { Session, Work } from './session.ts';
import type { UnitRecord } from './unit-rows.ts';

const WHOLE = -1;

/** R8: the agents are to stop or drop this task of the unit; the whole unit when it was the last open one. Call it before the task moves. */
export function revokeTask(w: Work, unit: UnitRecord, index: number): void {
  if (unit.open <= 1) {
    revokeUnit(w, unit);
    return;
  }
  write(w, unit, index);
}

export function revokeUnit(w: Work, unit: UnitRecord): void {
  w.s.sql('DELETE FROM revokes WHERE pool = ? AND unit = ?').run(unit.pool, unit.uid);
  write(w, unit, WHOLE);
}

function write({ s, applied }: Work, unit: UnitRecord, index: number): void {
  s.sql('INSERT OR IGNORE INTO revokes(pool, unit, idx, not_after) VALUES (?, ?, ?, ?)').run(
    unit.pool,
    unit.uid,
    index,
    unit.notAfter,
  );
  applied.revokes = true;
}

/** What the control document of the pool must name now; entries past their `notAfter` are forgotten. */
export function readRevokes(
  s: Session,
  pool: string,
  now: number,
): { unit: UnitId; tasks: number[] | null; notAfter: number }[] {
  s.sql('DELETE FROM revokes WHERE pool = ? AND not_after < ?').run(pool, now);
  const rows = s
    .sql(
      'SELECT u.id, r.idx, r.not_after FROM revokes r JOIN units u ON u.uid = r.unit WHERE r.pool = ? ORDER BY r.unit, r.idx',
    )
    .all(pool) as { id: UnitId; idx: number; not_after: number }[];
  const entries = new Map<UnitId, { unit: UnitId; tasks: number[] | null; notAfter: number }>();
  for (const { id, idx, not_after: notAfter } of rows) {
    const entry = entries.get(id);
    if (entry === undefined) entries.set(id, { unit: id, tasks: idx === WHOLE ? null : [idx], notAfter });
    else entry.tasks?.push(idx);
  }
  return [...entries.values()];
}
