import type { Trouble } from '../trouble.ts';

/**
 * How one operation (`units.send`, `store.get`, …) fares. `ok` → `failing` after a failure → `open` after several in a row, or
 * → `stopped` at once when only a person can mend it (auth, quota). Open and stopped ones are tried again by one call at
 * `nextTryAt`: that one's success makes it `ok`.
 */
export interface OperationHealth {
  state: 'ok' | 'failing' | 'open' | 'stopped';
  /** Since when it is in this state, ms since 1970. */
  since: number;
  /** Of its last failure; null while ok. */
  trouble: Trouble | null;
  message: string | null;
  /** Null while it is not refused. */
  nextTryAt: number | null;
}

export interface GuardHealth {
  /** Something that is needed does not work: nothing new should go there. */
  dark: boolean;
  /** Not dark, but an operation can be tried only by real work: a little of it should go there. */
  trial: boolean;
  /** Since when something needed has not worked without a break, trials included; null while all works. */
  since: number | null;
  /** What does not work, and why; null while all works. */
  why: string | null;
  operations: Readonly<Record<string, OperationHealth>>;
}

/** The health of what is behind several guards: a pool with its own queues, and the store it shares with others. */
export function joinHealth(parts: readonly GuardHealth[]): GuardHealth {
  const since = parts.flatMap((part) => part.since ?? []);
  const dark = parts.some((part) => part.dark);
  return {
    dark,
    trial: !dark && parts.some((part) => part.trial),
    since: since.length === 0 ? null : Math.min(...since),
    why: parts.find((part) => part.why !== null)?.why ?? null,
    operations: Object.assign({}, ...parts.map((part) => part.operations)) as GuardHealth['operations'],
  };
}
