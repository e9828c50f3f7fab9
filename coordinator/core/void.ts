import { isPlanted } from '../../shared/fault.ts';

export interface UnitFacts {
  void: boolean;
  /** Tasks whose newest attempt is in this unit and not over. */
  open: number;
  /** Ever claimed or ever returned. */
  heard: boolean;
  /** Live claims. */
  claims: number;
  returned: boolean;
  sent: boolean;
}

/** R7: why the unit may be voided now; undefined: it may not. `unclaimed` also needs the pool's patience to be over. */
export function voidReason(unit: UnitFacts): 'returned' | 'silent' | 'unclaimed' | undefined {
  if (unit.void || unit.open === 0 || unit.claims > 0) return undefined;
  if (unit.heard) return unit.returned ? 'returned' : 'silent';
  return unit.sent ? 'unclaimed' : undefined;
}

/** Agents read `notAfter` with a margin; so do we, before we take a unit for one that nobody begins any more. */
const EXPIRY_MARGIN_MS = 60_000;

/** R9: how a unit of a pool that has been dark for longer than the hold-down may be voided now; undefined: it waits. */
export function darkVoid(
  unit: { notAfter: number; elsewhere: boolean },
  now: number,
): 'dark' | 'abandoned' | undefined {
  if (now > unit.notAfter + EXPIRY_MARGIN_MS) return 'abandoned';
  return unit.elsewhere ? 'dark' : undefined;
}

/**
 * R3: a hand-back of a unit received with count 1 frees the tasks its sender did not begin. Not where another boot ever held
 * the unit: that one may have begun them.
 */
export function isFreeReturn(
  task: { index: number; running: boolean },
  handBack: { notBegun: ReadonlySet<number>; heldByOthers: boolean } | undefined,
): boolean {
  return (
    handBack !== undefined && !handBack.heldByOthers && !task.running && handBack.notBegun.has(task.index)
  );
}

/** R7: a `returned` is remembered, never dropped, whoever claims the unit at that moment. */
export const remembersReturn = (): boolean => !isPlanted('returned-forgotten');

/** After these the sender holds no copy of the unit any more; after the others it may hold another copy that it runs. */
const WHOLLY_BACK: ReadonlySet<string> = new Set(['draining', 'recalled', 'expired', 'unfit', 'internal']);
export const endsOwnClaim = (
  returned: { why: string; receiveCount: number; notBegun: readonly number[] },
  tasks: number,
): boolean =>
  returned.receiveCount === 1 && returned.notBegun.length >= tasks && WHOLLY_BACK.has(returned.why);
