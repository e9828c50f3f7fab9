import type { AgentId, BootId, UnitId } from '../../shared/ids.ts';
import { jobBySeq } from './job-rows.ts';
import type { Session } from './session.ts';
import type { OpenUnit, VoidCandidate } from './store.ts';

interface Row {
  uid: number;
  id: UnitId;
  job: number;
  not_after: number;
}

/**
 * Units of the pool with an open task, oldest first, after the one with number `after`. Looked for among the open units of
 * all pools: of those there are few, and only a dark pool asks.
 */
export function openUnits(s: Session, pool: string, after: number, limit: number): OpenUnit[] {
  const rows = s
    .sql(
      `SELECT uid, id, job, not_after FROM units INDEXED BY units_open
       WHERE open > 0 AND void = 0 AND pool = ? AND +uid > ? ORDER BY +uid LIMIT ?`,
    )
    .all(pool, after, limit) as unknown as Row[];
  return rows.map(({ uid, id, job, not_after: notAfter }) => ({
    uid,
    unit: id,
    job: jobBySeq(s, job).id,
    notAfter,
    claimants: claimantsOf(s, uid),
  }));
}

/** Everyone who ever claimed the unit. */
export function claimantsOf(s: Session, uid: number): VoidCandidate['claimants'] {
  const rows = s
    .sql('SELECT b.agent, b.boot FROM claims c JOIN boots b ON b.id = c.boot WHERE c.unit = ?')
    .all(uid);
  return rows.map(({ agent, boot }) => ({ agent: agent as AgentId, boot: boot as BootId }));
}
