/**
 * The states of a task, and the only legal transitions (DESIGN §2, rules R5–R8, R11).
 *
 *   blocked ──▶ ready ──▶ dispatched ──▶ running ──▶ succeeded | failed | cancelled | lost
 *                 ▲  ▲         │            │
 *                 │  └─────────┴────────────┤ handed back unbegun
 *                 └──── backoff ◀───────────┘ a counted failure or loss with one left
 *
 * A late success of an earlier attempt ends any open task (R5). A terminal state is final (I2).
 */
export const OPEN_STATES = ['blocked', 'ready', 'dispatched', 'running', 'backoff'] as const;
export const TERMINAL_STATES = ['succeeded', 'failed', 'cancelled', 'lost'] as const;
export const TASK_STATES = [...OPEN_STATES, ...TERMINAL_STATES] as const;

export type TerminalState = (typeof TERMINAL_STATES)[number];
export type TaskState = (typeof TASK_STATES)[number];

const LEGAL: Readonly<Record<TaskState, readonly TaskState[]>> = {
  // A task blocked for ever (its dependency failed) is cancelled; rebuild may find it succeeded.
  blocked: ['ready', 'cancelled', 'succeeded'],
  // `lost` from ready: only a rebuild of a task with `retry.lost: 0` (R11).
  ready: ['dispatched', 'cancelled', 'succeeded', 'lost'],
  dispatched: ['running', 'ready', 'backoff', 'succeeded', 'failed', 'cancelled', 'lost'],
  running: ['ready', 'backoff', 'succeeded', 'failed', 'cancelled', 'lost'],
  backoff: ['ready', 'cancelled', 'succeeded'],
  succeeded: [],
  failed: [],
  cancelled: [],
  lost: [],
};

export const isTerminal = (state: TaskState): state is TerminalState =>
  (TERMINAL_STATES as readonly TaskState[]).includes(state);

export const canMove = (from: TaskState, to: TaskState): boolean => LEGAL[from].includes(to);

/** Derived from the tasks of a job, never stored apart. */
export const JOB_STATES = [
  'held',
  'queued',
  'running',
  'succeeded',
  'failed',
  'partial',
  'cancelled',
] as const;
export type JobState = (typeof JOB_STATES)[number];

export type TaskCounts = Record<TaskState, number>;

export const noTasks = (): TaskCounts => ({
  blocked: 0,
  ready: 0,
  dispatched: 0,
  running: 0,
  backoff: 0,
  succeeded: 0,
  failed: 0,
  cancelled: 0,
  lost: 0,
});

/**
 * The state of a job from the states of its tasks. `partial`: it is over, and some tasks succeeded
 * and some did not. `cancelled` wins over `failed` only when no task failed or was lost.
 */
export function jobState(counts: TaskCounts, held: boolean): JobState {
  const open = OPEN_STATES.reduce((sum, state) => sum + counts[state], 0);
  const bad = counts.failed + counts.lost;
  if (open > 0) {
    const begun = counts.running + counts.dispatched + counts.backoff + counts.succeeded + bad;
    if (begun > 0) return 'running';
    return held ? 'held' : 'queued';
  }
  if (bad + counts.cancelled === 0) return 'succeeded';
  if (counts.succeeded > 0) return 'partial';
  return bad > 0 ? 'failed' : 'cancelled';
}
