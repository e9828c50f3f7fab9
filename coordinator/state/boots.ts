import type { AgentShape } from '../core/place.ts';
import type { AgentEvent, EventBatch } from '../../shared/wire/event.ts';
import type { Session, Work } from './session.ts';
import { touchUnit, unitByUid } from './unit-rows.ts';

/**
 * One life of an agent, whose name is its own within its pool. Live until it says goodbye, is silent for too long, or a newer boot of the same agent is heard;
 * a boot that is heard again after a verdict of silence was wrong is live again (R7).
 */
export interface BootRow {
  id: number;
  agent: string;
  boot: string;
  pool: string;
  ended: 'silent' | 'replaced' | 'goodbye' | null;
  draining: number;
  seq: number;
  /** Place of the newest heartbeat in the boot's order of events. */
  beat: number;
  running: number;
  rejected: number;
  hello: string | null;
  /** All segments up to this number are committed, and those in `segments_beyond`. */
  segments: number;
  segments_beyond: string;
}

export type Hello = Extract<AgentEvent, { type: 'hello' }>;

export interface PoolAgents {
  liveAgents: number;
  slots: number;
  shapes: AgentShape[];
}

const COLUMNS =
  'id, agent, boot, pool, ended, draining, seq, beat, running, rejected, hello, segments, segments_beyond';

export function findBoot(s: Session, agent: string, boot: string): BootRow | undefined {
  return s.sql(`SELECT ${COLUMNS} FROM boots WHERE agent = ? AND boot = ?`).get(agent, boot) as
    | BootRow
    | undefined;
}

/** The boot of a batch, which is heard now; known, revived or new. */
export function hearBoot(w: Work, batch: EventBatch): BootRow {
  const { s } = w;
  const known = findBoot(s, batch.agent, batch.boot);
  if (known === undefined) return beginBoot(w, batch);
  if (
    known.ended !== null &&
    known.ended !== 'goodbye' &&
    batch.seq > known.seq &&
    !hasOtherLiveBoot(s, known)
  ) {
    s.sql('UPDATE boots SET ended = NULL WHERE id = ?').run(known.id);
    known.ended = null;
    agentsChanged(w, known.pool);
  }
  return known;
}

/** Writes what events changed; `heardAt` null leaves the time at which it was heard last. */
export function saveBoot(s: Session, boot: BootRow, heardAt: number | null): void {
  const { draining, seq, beat, running, rejected, hello, segments, segments_beyond: beyond, id } = boot;
  s.sql(
    `UPDATE boots SET draining = ?, seq = ?, beat = ?, running = ?, rejected = ?, hello = ?, segments = ?, segments_beyond = ?,
       heard_at = max(heard_at, coalesce(?, 0)) WHERE id = ?`,
  ).run(draining, seq, beat, running, rejected, hello, segments, beyond, heardAt, id);
}

/** Ends the boot and all its claims. */
export function endBoot(
  w: Work,
  boot: Pick<BootRow, 'id' | 'pool'>,
  why: NonNullable<BootRow['ended']>,
): void {
  const { s } = w;
  s.sql('UPDATE boots SET ended = ? WHERE id = ?').run(why, boot.id);
  const claimed = s.sql('SELECT unit FROM claims WHERE boot = ? AND live = 1').all(boot.id) as {
    unit: number;
  }[];
  for (const { unit } of claimed) endClaim(w, unit, boot.id);
  agentsChanged(w, boot.pool);
}

export function endClaim({ s, applied }: Work, uid: number, boot: number): void {
  const { changes } = s
    .sql('UPDATE claims SET live = 0 WHERE unit = ? AND boot = ? AND live = 1')
    .run(uid, boot);
  if (changes === 0) return;
  const unit = unitByUid(s, uid);
  unit.claims -= 1;
  if (unit.claims === 0 && unit.open > 0) applied.claims = true;
  touchUnit(unit);
}

export function agentsChanged({ s, applied }: Work, pool: string): void {
  s.poolAgents.delete(pool);
  applied.dispatchable = true;
}

/** Who takes work in the pool: live, said hello, and neither draining nor asked to. */
export function agentsOf(s: Session, pool: string): PoolAgents {
  const known = s.poolAgents.get(pool);
  if (known !== undefined) return known;
  const rows = s
    .sql(
      'SELECT hello FROM boots WHERE pool = ? AND ended IS NULL AND draining = 0 AND drain_asked = 0 AND hello IS NOT NULL',
    )
    .all(pool) as { hello: string }[];
  const shapes = new Map<string, AgentShape>();
  let slots = 0;
  for (const { hello } of rows) {
    const { arch, capacity, labels } = JSON.parse(hello) as Hello;
    slots += capacity.slots;
    const shape = {
      arch,
      cpus: capacity.cpus,
      memoryBytes: capacity.memoryBytes,
      gpus: capacity.gpus,
      diskBytes: capacity.diskBytes ?? null,
      labels,
    };
    shapes.set(JSON.stringify(shape), shape);
  }
  const agents = { liveAgents: rows.length, slots, shapes: [...shapes.values()] };
  s.poolAgents.set(pool, agents);
  return agents;
}

/**
 * A boot heard of for the first time replaces the others of its agent. Boot ids grow with time, so a first message that was
 * overtaken by a newer boot's is told by its lower id: that boot is over already.
 */
function beginBoot(w: Work, { agent, boot, pool }: EventBatch): BootRow {
  const { s, now } = w;
  const others = s
    .sql('SELECT id, boot, pool, ended FROM boots WHERE pool = ? AND agent = ? AND ended IS NULL')
    .all(pool, agent) as unknown as BootRow[];
  const overtaken = others.some((other) => other.boot > boot);
  s.sql(
    `INSERT INTO boots(agent, boot, pool, ended, draining, drain_asked, seq, beat, heard_at, running, rejected, segments, segments_beyond)
     VALUES (?, ?, ?, ?, 0, 0, -1, -1, ?, 0, 0, 0, '[]')`,
  ).run(agent, boot, pool, overtaken ? 'replaced' : null, now);
  if (!overtaken) for (const other of others) endBoot(w, other, 'replaced');
  agentsChanged(w, pool);
  return findBoot(s, agent, boot) as BootRow;
}

const hasOtherLiveBoot = (s: Session, { pool, agent, id }: BootRow): boolean =>
  s
    .sql('SELECT 1 FROM boots WHERE pool = ? AND agent = ? AND ended IS NULL AND id <> ?')
    .get(pool, agent, id) !== undefined;
