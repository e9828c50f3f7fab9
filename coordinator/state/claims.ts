import type { UnitId } from '../../shared/ids.ts';
import { type BootRow, endClaim } from './boots.ts';
import type { Session, Work } from './session.ts';
import { touchUnit, unitById, type UnitRecord } from './unit-rows.ts';

/** Events of one batch are told apart by their position: at most this many are in one. */
const EVENTS_A_BATCH = 2 ** 20;

/** Where an event stands among all of its boot's: what is newer decides (R7). */
export const placeOf = (seq: number, position: number): number => seq * EVENTS_A_BATCH + position;

/** R4, R7: the boot holds exactly these units, unless a newer heartbeat said otherwise; what was begun since is held too. */
export function applyHeartbeat(w: Work, boot: BootRow, units: readonly UnitId[], place: number): void {
  const { s } = w;
  const newest = place > boot.beat && boot.ended === null;
  const held = new Set<number>();
  for (const id of units) {
    const unit = unitById(s, id);
    if (unit === undefined) continue;
    held.add(unit.uid);
    claim(s, boot, unit, { place, live: newest });
  }
  if (place <= boot.beat) return;
  boot.beat = place;
  const before = s
    .sql('SELECT unit FROM claims WHERE boot = ? AND live = 1 AND place < ?')
    .all(boot.id, place) as { unit: number }[];
  for (const { unit } of before) if (!held.has(unit)) endClaim(w, unit, boot.id);
}

/** A unit that the boot has begun, or reports on: it holds it, unless a newer heartbeat said otherwise. */
export function applyBegun(s: Session, boot: BootRow, unit: UnitRecord, place: number): void {
  claim(s, boot, unit, { place, live: place > boot.beat && boot.ended === null });
}

/** Writes down who ever held the unit, and whether it does now. */
function claim(
  s: Session,
  boot: BootRow,
  unit: UnitRecord,
  { place, live }: { place: number; live: boolean },
): void {
  const before = s.sql('SELECT live, place FROM claims WHERE unit = ? AND boot = ?').get(unit.uid, boot.id) as
    | { live: number; place: number }
    | undefined;
  if (before !== undefined && before.place >= place) return;
  const lives = live || before?.live === 1;
  s.sql(
    'INSERT INTO claims(unit, boot, live, place) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET live = excluded.live, place = excluded.place',
  ).run(unit.uid, boot.id, lives ? 1 : 0, place);
  if (lives && before?.live !== 1) unit.claims += 1;
  hearOfUnit(s, unit);
  touchUnit(unit);
}

/** The unit has reached an agent: patience no longer runs for it, and may run for units sent before it. */
export function hearOfUnit(s: Session, unit: UnitRecord): void {
  if (unit.heard) return;
  unit.heard = true;
  touchUnit(unit);
  s.sql(
    'INSERT INTO pools(name, heard_sent_at) VALUES (?, ?) ON CONFLICT DO UPDATE SET heard_sent_at = max(heard_sent_at, excluded.heard_sent_at)',
  ).run(unit.pool, unit.sentAt ?? unit.createdAt);
}
