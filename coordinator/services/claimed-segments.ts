import { isPlanted } from '../../shared/fault.ts';
import type { AgentId, BootId } from '../../shared/ids.ts';
import type { Context, Pool } from './context.ts';
import { readSegmentsOf } from './read-segments.ts';

/** R7: before units are voided, what everyone who ever claimed them has written is read and committed. */
export async function commitSegmentsOf(
  context: Context,
  pool: Pool,
  units: readonly { claimants: readonly { agent: AgentId; boot: BootId }[] }[],
): Promise<void> {
  if (isPlanted('no-segments-before-void')) return;
  const { state, clock, metrics, signals } = context;
  const boots = new Map<string, { agent: AgentId; boot: BootId }>();
  for (const claimant of units.flatMap(({ claimants }) => claimants))
    boots.set(`${claimant.agent} ${claimant.boot}`, claimant);
  for (const boot of boots.values()) {
    const after = state.lastSegmentRead(boot.agent, boot.boot);
    const { outcomes, segments } = await readSegmentsOf(pool.store, { pool: pool.name, ...boot }, after);
    if (segments.length === 0) continue;
    const applied = state.commit(outcomes, clock.now(), segments);
    metrics.count(applied);
    signals.announce(applied);
  }
}
