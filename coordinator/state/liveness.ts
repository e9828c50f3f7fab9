import { isPlanted } from '../../shared/fault.ts';
import type { AgentId, BootId, UnitId } from '../../shared/ids.ts';
import { drainName } from '../../shared/wire/control.ts';
import { mayRepeatLoss } from '../core/retry.ts';
import { isFreeReturn, voidReason } from '../core/void.ts';
import { endAttempt } from './attempts.ts';
import { agentsChanged, endBoot } from './boots.ts';
import { jobBySeq, type JobRow, specOf } from './job-rows.ts';
import { loseTask } from './outcomes.ts';
import { claimantsOf, openUnits } from './open-units.ts';
import { readRevokes, revokeTask, revokeUnit } from './revokes.ts';
import { lastSegmentRead } from './segments.ts';
import { applyIn, nothingApplied, type Session, type Work } from './session.ts';
import type { LivenessState, VoidCandidate, VoidReason } from './store.ts';
import { moveTask, taskAt, type TaskRow } from './tasks.ts';
import { tasksOfUnit, touchUnit, unitById, type UnitRecord } from './unit-rows.ts';

const MAX_CANDIDATES = 1_000;

/** R7: who is silent, which units nobody holds, and what a void does. */
export const livenessState = (s: Session): LivenessState => ({
  endSilentBoots: (pool, silentSince, now) => endSilentBoots(s, { pool, silentSince, now }),
  voidCandidates: (pool, patienceBefore) => findCandidates(s, pool, patienceBefore),
  laterUnitHeard: (pool, sentAt) => heardSentAt(s, pool) > sentAt,
  openUnits: (pool, after, limit) => openUnits(s, pool, after, limit),
  oldestUnclaimed: (pool) => oldestUnclaimed(s, pool),
  voidUnits: (units, now) =>
    applyIn(s, now, (w) => {
      for (const { unit, why } of units) voidUnit(w, unit, why);
    }),
  lastSegmentRead: (agent, boot) => lastSegmentRead(s, agent, boot),
  revokes: (pool, now) => s.transaction(() => readRevokes(s, pool, now)),
  drains: (pool) => {
    const rows = s
      .sql('SELECT agent, boot FROM boots WHERE pool = ? AND ended IS NULL AND drain_asked = 1')
      .all(pool) as { agent: AgentId; boot: BootId }[];
    return rows.map(({ agent, boot }) => drainName(agent, boot));
  },
  requestDrain: (agent, pool) => s.transaction(() => requestDrain(s, agent, pool)),
});

function endSilentBoots(
  s: Session,
  { pool, silentSince, now }: { pool: string; silentSince: number; now: number },
): { agent: AgentId; boot: BootId }[] {
  // Heard in the future: the clock has been set back since, and its silence begins anew.
  s.sql('UPDATE boots SET heard_at = ? WHERE pool = ? AND ended IS NULL AND heard_at > ?').run(
    now,
    pool,
    now,
  );
  const silent = s
    .sql('SELECT id, agent, boot, pool FROM boots WHERE pool = ? AND ended IS NULL AND heard_at < ?')
    .all(pool, silentSince);
  const boots = silent as { id: number; agent: AgentId; boot: BootId; pool: string }[];
  if (boots.length === 0) return [];
  applyIn(s, now, (w) => {
    for (const boot of boots) endBoot(w, boot, 'silent');
  });
  return boots.map(({ agent, boot }) => ({ agent, boot }));
}

function findCandidates(s: Session, pool: string, patienceBefore: number | null): VoidCandidate[] {
  const heard = s
    .sql(
      'SELECT uid, id, returned FROM units WHERE pool = ? AND heard = 1 AND claims = 0 AND void = 0 AND open > 0 ORDER BY uid LIMIT ?',
    )
    .all(pool, MAX_CANDIDATES) as { uid: number; id: UnitId; returned: number }[];
  const candidates: VoidCandidate[] = heard.map(({ uid, id, returned }) => ({
    unit: id,
    pool,
    claimants: claimantsOf(s, uid),
    why: returned === 1 ? 'returned' : 'silent',
  }));
  if (patienceBefore === null || candidates.length >= MAX_CANDIDATES) return candidates;
  const unheard = s
    .sql(
      'SELECT id FROM units WHERE pool = ? AND sent_at IS NOT NULL AND heard = 0 AND void = 0 AND open > 0 AND sent_at < ? ORDER BY sent_at LIMIT ?',
    )
    .all(pool, patienceBefore, MAX_CANDIDATES - candidates.length) as { id: UnitId }[];
  return [
    ...candidates,
    ...unheard.map(({ id }) => ({ unit: id, pool, claimants: [], why: 'unclaimed' as const })),
  ];
}

function heardSentAt(s: Session, pool: string): number {
  const row = s.sql('SELECT heard_sent_at FROM pools WHERE name = ?').get(pool);
  return (row?.['heard_sent_at'] as number | undefined) ?? Number.NEGATIVE_INFINITY;
}

function oldestUnclaimed(s: Session, pool: string): { unit: UnitId; sentAt: number } | undefined {
  const text =
    'SELECT id, sent_at FROM units WHERE pool = ? AND sent_at IS NOT NULL AND heard = 0 AND void = 0 AND open > 0 ORDER BY sent_at LIMIT 1';
  const row = s.sql(text).get(pool) as { id: UnitId; sent_at: number } | undefined;
  return row === undefined ? undefined : { unit: row.id, sentAt: row.sent_at };
}

/** Looks at the unit again first: while segments were read, it may have been claimed or finished. */
export function voidUnit(w: Work, id: UnitId, why: VoidReason): void {
  const { s } = w;
  const unit = unitById(s, id);
  if (unit === undefined || unit.void || unit.open === 0) return;
  if (!mayVoid(unit, why)) return;
  const job = jobBySeq(s, unit.job);
  const handBack = freeHandBack(s, unit);
  let kept = 0;
  for (const { index } of tasksOfUnit(s, unit.uid)) {
    const task = taskAt(s, job, index);
    if (task?.unit !== unit.uid || (task.state !== 'dispatched' && task.state !== 'running')) continue;
    if (isFreeReturn({ index, running: task.state === 'running' }, handBack)) giveBack(w, job, task);
    // R9: with no loss left it waits until the pool is back or given up.
    else if (why === 'dark' && !mayRepeatLoss(specOf(s, job).retry, task.losses + 1)) kept += 1;
    else {
      if (why === 'dark') revokeTask(w, unit, index);
      takeBack(w, job, task, why);
    }
  }
  if (kept > 0) return;
  unit.void = true;
  touchUnit(unit);
  revokeUnit(w, unit);
}

function mayVoid(unit: UnitRecord, why: VoidReason): boolean {
  switch (why) {
    case 'dark':
    case 'abandoned':
      return true;
    case 'returned':
    case 'silent':
    case 'unclaimed':
      return voidReason({ ...unit, sent: unit.sentAt !== null }) === why;
  }
}

function freeHandBack(s: Session, unit: UnitRecord): Parameters<typeof isFreeReturn>[1] {
  if (unit.freeBoot === null || unit.freeTasks === null) return undefined;
  const others = s.sql('SELECT 1 FROM claims WHERE unit = ? AND boot <> ?').get(unit.uid, unit.freeBoot);
  return { notBegun: new Set(unit.freeTasks), heldByOthers: others !== undefined };
}

/** Handed back unbegun: the attempt is over, and it is nobody's loss. */
function giveBack(w: Work, job: JobRow, task: TaskRow): void {
  endAttempt(w.s, job, task, { result: 'returned', reason: 'handed back before it was begun', at: w.now });
  moveTask(w, job, task, 'ready');
}

function takeBack(w: Work, job: JobRow, task: TaskRow, why: VoidReason): void {
  if (isPlanted('void-without-new-attempt')) {
    task.n -= 1;
    moveTask(w, job, task, 'ready');
    return;
  }
  loseTask(w, job, task, REASONS[why]);
}

const REASONS: Readonly<Record<VoidReason, string>> = {
  returned: 'an agent handed the unit back and nobody else has it',
  silent: 'its agent is silent or no longer has it',
  unclaimed: 'no agent was heard to have it',
  dark: 'its pool cannot be reached',
  abandoned: 'its pool cannot be reached and was given up',
};

function requestDrain(s: Session, agent: AgentId, pool: string | undefined): string[] {
  const boots = s
    .sql(
      'UPDATE boots SET drain_asked = 1 WHERE agent = ?1 AND pool = coalesce(?2, pool) AND ended IS NULL RETURNING pool',
    )
    .all(agent, pool ?? null) as { pool: string }[];
  const pools = [...new Set(boots.map((boot) => boot.pool))].sort();
  for (const each of pools) agentsChanged({ s, now: 0, applied: nothingApplied() }, each);
  return pools;
}
