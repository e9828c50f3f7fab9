import { ClobiError } from '../../shared/errors.ts';
import { isPlanted } from '../../shared/fault.ts';
import type { RunId } from '../../shared/ids.ts';
import { canMove, isTerminal, type TaskState } from '../../shared/task-state.ts';
import { type JobRow, stateNumber, stateOf, touchJob } from './job-rows.ts';
import type { Session, Work } from './session.ts';
import { leaveUnit } from './unit-rows.ts';

/** A task's row in memory. `unit`, `epoch`, `n`: its newest attempt. `fromRest`: it has no row yet. `listed`: its state as written. */
export interface TaskRow {
  idx: number;
  state: TaskState;
  epoch: number;
  n: number;
  failures: number;
  losses: number;
  unit: number | null;
  readyAt: number | null;
  startedAt: number | null;
  endedAt: number | null;
  run: RunId | null;
  agent: string | null;
  reason: string | null;
  outputs: number;
  verdict: number | null;
  fromRest: boolean;
  listed: TaskState | undefined;
}

const COLUMNS =
  'tasks.idx, state, epoch, n, failures, losses, unit, ready_at, started_at, ended_at, run, agent, reason, outputs, verdict';
const SELECT = `SELECT ${COLUMNS} FROM tasks`;

/** The task; one of the rest is made up on the fly. Undefined when the job has no such task. */
export function taskAt(s: Session, job: JobRow, index: number): TaskRow | undefined {
  const row = s.sql(`${SELECT} WHERE job = ? AND idx = ?`).get(job.seq, index) as Row | undefined;
  if (row !== undefined) return fromRow(row);
  return isInRest(job, index) ? restTask(job, index) : undefined;
}

/** True when the index is one of the job's tasks without a row, provided it has none. */
const isInRest = (job: JobRow, index: number): boolean =>
  job.restCount > 0 && index >= job.restFrom && index < job.size && Number.isInteger(index);

export interface TaskPage {
  /** Only indices above this. */
  after: number;
  limit: number;
}

/** Rows in a state that is listed: any but `dispatched`, `running` and `succeeded`. By index. */
export const listedTasks = (s: Session, job: JobRow, state: TaskState, page: TaskPage): TaskRow[] =>
  readList(s, job, stateNumber(state), page);

/** Rows of tasks that have outputs, by index. */
export const tasksWithOutputs = (s: Session, job: JobRow, page: TaskPage): TaskRow[] =>
  readList(s, job, OUTPUTS, page);

function readList(s: Session, job: JobRow, list: number, { after, limit }: TaskPage): TaskRow[] {
  const text = `SELECT ${COLUMNS} FROM task_lists l CROSS JOIN tasks ON tasks.job = l.job AND tasks.idx = l.idx
    WHERE l.job = ? AND l.list = ? AND l.idx > ? ORDER BY l.idx LIMIT ?`;
  return (s.sql(text).all(job.seq, list, after, limit) as unknown as Row[]).map(fromRow);
}

/** Rows in whatever state, by index. */
export function tasksAfter(s: Session, job: JobRow, { after, limit }: TaskPage): TaskRow[] {
  const rows = s.sql(`${SELECT} WHERE job = ? AND idx > ? ORDER BY idx LIMIT ?`).all(job.seq, after, limit);
  return (rows as unknown as Row[]).map(fromRow);
}

/** A task without a row yet, as its job's rest says. */
export function restTask(job: JobRow, index: number): TaskRow {
  return {
    idx: index,
    state: job.restState,
    epoch: 0,
    n: 0,
    failures: 0,
    losses: 0,
    unit: null,
    readyAt: null,
    startedAt: null,
    endedAt: job.restEndAt,
    run: null,
    agent: null,
    reason: isTerminal(job.restState) ? job.cancelReason : null,
    outputs: 0,
    verdict: job.restVerdict,
    fromRest: true,
    listed: undefined,
  };
}

/**
 * The only place where a task's state changes: checks that the move is legal, keeps the counters of job, unit and pool,
 * hands a terminal state to the outbox of verdicts, and writes the row with whatever else of it was changed.
 */
export function moveTask(w: Work, job: JobRow, task: TaskRow, to: TaskState): void {
  const { s } = w;
  const from = task.state;
  if (!canMove(from, to) && !isPlanted('commit-after-terminal')) {
    throw new ClobiError('INTERNAL', `Task ${job.id}/${task.idx} may not go from ${from} to ${to}.`);
  }
  job.counts[from] -= 1;
  job.counts[to] += 1;
  task.state = to;
  if (to !== 'backoff') task.readyAt = null;
  touchJob(s, job);
  if (isWithAgent(from) && !isWithAgent(to)) {
    if (task.unit !== null) leaveUnit(s, task.unit);
    w.applied.dispatchable = true;
  }
  if (to === 'ready') w.applied.dispatchable = true;
  if (isTerminal(to)) endTask(w, job, task);
  saveTask(s, job, task);
}

const isWithAgent = (state: TaskState): boolean => state === 'dispatched' || state === 'running';

function endTask({ s, now, applied }: Work, job: JobRow, task: TaskRow): void {
  if (!isTerminal(task.state)) return;
  task.endedAt ??= now;
  s.lastVerdict += 1;
  task.verdict = s.lastVerdict;
  job.pending[task.state] += 1;
  job.lastEndAt = now;
  s.sql('INSERT INTO outbox(seq, job, idx, state, count) VALUES (?, ?, ?, ?, 1)').run(
    task.verdict,
    job.seq,
    task.idx,
    stateNumber(task.state),
  );
  applied.verdicts = true;
}

/** Writes a row whose state has not changed, or has by `moveTask`. */
export function saveTask(s: Session, job: JobRow, task: TaskRow): void {
  const {
    epoch,
    n,
    failures,
    losses,
    unit,
    readyAt,
    startedAt,
    endedAt,
    run,
    agent,
    reason,
    outputs,
    verdict,
  } = task;
  const text = task.fromRest ? INSERT : UPDATE;
  s.sql(text).run(
    stateNumber(task.state),
    epoch,
    n,
    failures,
    losses,
    unit,
    readyAt,
    startedAt,
    endedAt,
    run,
    agent,
    reason,
    outputs,
    verdict,
    job.seq,
    task.idx,
  );
  relist(s, job, task);
  if (task.fromRest) leaveRest(s, job, task);
}

/** Keeps `task_lists`. The usual way of a task, from the rest to a success without outputs, touches no list. */
function relist(s: Session, job: JobRow, task: TaskRow): void {
  if (task.listed !== task.state) {
    if (task.listed !== undefined && LISTED.has(task.listed)) {
      s.sql('DELETE FROM task_lists WHERE job = ? AND list = ? AND idx = ?').run(
        job.seq,
        stateNumber(task.listed),
        task.idx,
      );
    }
    if (LISTED.has(task.state))
      addToList(s, { job: job.seq, list: stateNumber(task.state), idx: task.idx, at: task.readyAt });
    task.listed = task.state;
  }
  if (task.outputs > 0) addToList(s, { job: job.seq, list: OUTPUTS, idx: task.idx, at: null });
}

const LISTED: ReadonlySet<TaskState> = new Set([
  'blocked',
  'ready',
  'backoff',
  'failed',
  'cancelled',
  'lost',
]);
/** The list of tasks with outputs, beside those of the states. */
const OUTPUTS = 9;

function addToList(
  s: Session,
  { job, list, idx, at }: { job: number; list: number; idx: number; at: number | null },
): void {
  s.sql('INSERT OR IGNORE INTO task_lists(job, list, idx, at) VALUES (?, ?, ?, ?)').run(job, list, idx, at);
}

/** A task that has a row from the start; its job counts it. */
export function insertTask(s: Session, job: number, index: number, state: TaskState): void {
  s.sql(
    'INSERT INTO tasks(job, idx, state, epoch, n, failures, losses, outputs) VALUES (?, ?, ?, 0, 0, 0, 0, 0)',
  ).run(job, index, stateNumber(state));
  addToList(s, { job, list: stateNumber(state), idx: index, at: null });
}

/** The task has a row now. Indices below `restFrom` all have one, so it goes up with the lowest. */
function leaveRest(s: Session, job: JobRow, task: TaskRow): void {
  task.fromRest = false;
  job.restCount -= 1;
  if (task.idx === job.restFrom) job.restFrom += 1;
  touchJob(s, job);
}

const INSERT = `INSERT INTO tasks(state, epoch, n, failures, losses, unit, ready_at, started_at, ended_at, run, agent, reason, outputs, verdict, job, idx)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const UPDATE = `UPDATE tasks SET state = ?, epoch = ?, n = ?, failures = ?, losses = ?, unit = ?, ready_at = ?, started_at = ?, ended_at = ?,
  run = ?, agent = ?, reason = ?, outputs = ?, verdict = ? WHERE job = ? AND idx = ?`;

/** True when what the task shows is final (R11). */
export const isExported = (s: Session, verdict: number | null): boolean =>
  verdict !== null && verdict <= s.exportedUpTo;

interface Row {
  idx: number;
  state: number;
  epoch: number;
  n: number;
  failures: number;
  losses: number;
  unit: number | null;
  ready_at: number | null;
  started_at: number | null;
  ended_at: number | null;
  run: string | null;
  agent: string | null;
  reason: string | null;
  outputs: number;
  verdict: number | null;
}

const fromRow = (row: Row): TaskRow => ({
  idx: row.idx,
  state: stateOf(row.state),
  epoch: row.epoch,
  n: row.n,
  failures: row.failures,
  losses: row.losses,
  unit: row.unit,
  readyAt: row.ready_at,
  startedAt: row.started_at,
  endedAt: row.ended_at,
  run: row.run as RunId | null,
  agent: row.agent,
  reason: row.reason,
  outputs: row.outputs,
  verdict: row.verdict,
  fromRest: false,
  listed: stateOf(row.state),
});
