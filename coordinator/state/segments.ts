import { segmentKey } from '../../shared/wire/keys.ts';
import type { AgentId, BootId } from '../../shared/ids.ts';
import { type BootRow, findBoot, saveBoot } from './boots.ts';
import type { Session } from './session.ts';

/**
 * Which segments of a boot are committed. They are numbered from 1, but their events may come in any order or never: only
 * those up to the first gap need not be read before a void (R7).
 */
export function noteSegment(boot: BootRow, key: string): void {
  const number = Number(/\/(\d+)\.ndjson$/.exec(key)?.[1] ?? Number.NaN);
  if (!Number.isSafeInteger(number) || number <= boot.segments) return;
  const beyond = new Set([...(JSON.parse(boot.segments_beyond) as number[]), number]);
  while (beyond.delete(boot.segments + 1)) boot.segments += 1;
  boot.segments_beyond = JSON.stringify([...beyond]);
}

/** The same for keys of whichever boots. */
export function noteSegments(s: Session, keys: readonly string[]): void {
  for (const key of keys) {
    const [, agent, name] = /([^/]+)\/([^/]+)\/\d+\.ndjson$/.exec(key) ?? [];
    const boot = agent === undefined || name === undefined ? undefined : findBoot(s, agent, name);
    if (boot === undefined) continue;
    noteSegment(boot, key);
    saveBoot(s, boot, null);
  }
}

/** The key to list after. */
export function lastSegmentRead(s: Session, agent: AgentId, name: BootId): string | undefined {
  const boot = findBoot(s, agent, name);
  return boot === undefined || boot.segments === 0
    ? undefined
    : segmentKey(boot.pool, agent, name, boot.segments);
}
