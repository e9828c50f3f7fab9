import { attemptId, parseAttemptId, taskId } from '../../shared/ids.ts';
import { isTerminal, type TaskState } from '../../shared/task-state.ts';
import type { AttemptView, TaskView } from '../http/api.ts';
import { attemptAt, type AttemptRow, attemptsOf } from './attempts.ts';
import { type JobRow, stateNumber } from './job-rows.ts';
import type { Session } from './session.ts';
import {
  listedTasks,
  isExported,
  restTask,
  taskAt,
  type TaskPage,
  type TaskRow,
  tasksAfter,
} from './tasks.ts';
import { tasksOfUnit, unitByUid } from './unit-rows.ts';
import type { TaskQuery } from './views.ts';

export function viewTask(s: Session, job: JobRow, index: number): TaskView | undefined {
  const task = taskAt(s, job, index);
  if (task === undefined) return undefined;
  const attempts = attemptsOf(s, job, index).map(viewAttempt);
  if (isWithAgent(task.state)) attempts.push(openAttempt(s, task));
  return { ...viewOf(s, job, task), attempts };
}

export function viewTasks(s: Session, job: JobRow, query: TaskQuery): { tasks: TaskView[]; next?: string } {
  const page = { after: query.after ?? -1, limit: query.limit };
  const rows = query.state === undefined ? anyTasks(s, job, page) : tasksIn(s, job, query.state, page);
  const tasks = rows.map((task) => viewOf(s, job, task));
  const last = tasks.at(-1);
  return tasks.length < query.limit || last === undefined ? { tasks } : { tasks, next: String(last.index) };
}

/** With those of the rest, which have no row. */
function anyTasks(s: Session, job: JobRow, page: TaskPage): TaskRow[] {
  const rows = tasksAfter(s, job, page);
  if (job.restCount === 0) return rows;
  return withRest(job, rows, page);
}

function withRest(job: JobRow, rows: readonly TaskRow[], { after, limit }: TaskPage): TaskRow[] {
  const byIndex = new Map(rows.map((task) => [task.idx, task]));
  const found: TaskRow[] = [];
  for (let index = after + 1; index < job.size && found.length < limit; index += 1) {
    found.push(byIndex.get(index) ?? restTask(job, index));
  }
  return found;
}

/** Tasks shown in the state. None of these reads all rows of a big job, but for `succeeded`, which most are. */
function tasksIn(s: Session, job: JobRow, state: TaskState, page: TaskPage): TaskRow[] {
  switch (state) {
    case 'blocked':
    case 'ready':
    case 'backoff': {
      const rows = listedTasks(s, job, state, page);
      return job.restState === state ? mergeRest(s, job, rows, page) : rows;
    }
    case 'dispatched':
    case 'running':
      return tasksWithAgents(s, job, state, page);
    case 'succeeded':
      return tasksInOrder(s, job, state, page);
    case 'failed':
    case 'cancelled':
    case 'lost': {
      const rows = listedTasks(s, job, state, page).filter(({ verdict }) => isExported(s, verdict));
      return job.restState === state && isExported(s, job.restVerdict) ? mergeRest(s, job, rows, page) : rows;
    }
  }
}

/** Rows of one state, and the rest, which is in the same. */
function mergeRest(s: Session, job: JobRow, rows: readonly TaskRow[], { after, limit }: TaskPage): TaskRow[] {
  const rest: TaskRow[] = [];
  for (
    let index = Math.max(after + 1, job.restFrom);
    index < job.size && rest.length < limit && job.restCount > 0;
    index += 1
  ) {
    const task = taskAt(s, job, index);
    if (task?.fromRest === true) rest.push(task);
  }
  return [...rows, ...rest].sort((a, b) => a.idx - b.idx).slice(0, limit);
}

/** More than these with agents: reading rows in order comes upon them soon. */
const MANY = 10_000;

/** By their units; and, as running, what is terminal but not exported. */
function tasksWithAgents(
  s: Session,
  job: JobRow,
  state: 'dispatched' | 'running',
  page: TaskPage,
): TaskRow[] {
  const { after, limit } = page;
  if (job.counts[state] > MANY) return tasksInOrder(s, job, state, page);
  const units = s.sql('SELECT uid FROM units WHERE job = ? AND open > 0').all(job.seq) as { uid: number }[];
  const indices = new Set(units.flatMap(({ uid }) => tasksOfUnit(s, uid).map(({ index }) => index)));
  if (state === 'running') {
    const pending = s
      .sql('SELECT idx FROM outbox WHERE job = ? AND idx > ? ORDER BY idx LIMIT ?')
      .all(job.seq, after, limit);
    for (const { idx } of pending) indices.add(idx as number);
  }
  const found: TaskRow[] = [];
  for (const index of [...indices].filter((candidate) => candidate > after).sort((a, b) => a - b)) {
    const task = taskAt(s, job, index);
    if (task !== undefined && shownState(s, task) === state) found.push(task);
    if (found.length === limit) break;
  }
  return found;
}

function tasksInOrder(s: Session, job: JobRow, state: TaskState, { after, limit }: TaskPage): TaskRow[] {
  const rows = s
    .sql(
      'SELECT idx FROM tasks WHERE job = ? AND idx > ? AND state = ? AND coalesce(verdict, 0) <= ? ORDER BY idx LIMIT ?',
    )
    .all(job.seq, after, stateNumber(state), s.exportedUpTo, limit);
  return rows.flatMap(({ idx }) => taskAt(s, job, idx as number) ?? []);
}

const isWithAgent = (state: TaskState): boolean => state === 'dispatched' || state === 'running';

const shownState = (s: Session, task: TaskRow): TaskState =>
  isTerminal(task.state) && !isExported(s, task.verdict) ? 'running' : task.state;

function viewOf(s: Session, job: JobRow, task: TaskRow): TaskView {
  const state = shownState(s, task);
  const final = isTerminal(state);
  const attempt = shownAttempt(s, job, task);
  return {
    id: taskId(job.id, task.idx),
    job: job.id,
    index: task.idx,
    state,
    failures: task.failures,
    losses: task.losses,
    attempt: task.n === 0 ? null : attemptId(task.epoch, task.n),
    run: task.run,
    agent: task.agent,
    pool: attempt?.pool ?? (task.unit === null ? null : unitByUid(s, task.unit).pool),
    readyAt: task.readyAt,
    startedAt: task.startedAt,
    endedAt: final ? task.endedAt : null,
    exitCode: final ? (attempt?.outcome?.exitCode ?? null) : null,
    signal: final ? (attempt?.outcome?.signal ?? null) : null,
    reason: final || state === 'backoff' || state === 'ready' ? task.reason : null,
    message: final ? (attempt?.outcome?.message ?? null) : null,
    outputs: final ? task.outputs : 0,
  };
}

/** The attempt whose end the task shows: that of its visible run, else its newest. */
function shownAttempt(s: Session, job: JobRow, task: TaskRow): AttemptRow | undefined {
  if (task.n === 0 || isWithAgent(task.state)) return undefined;
  const visible = task.run === null ? undefined : parseAttemptId(task.run.slice(0, task.run.indexOf('-')));
  return attemptAt(s, job, task.idx, visible ?? task);
}

function openAttempt(s: Session, task: TaskRow): AttemptView {
  const unit = task.unit === null ? undefined : unitByUid(s, task.unit);
  return {
    attempt: attemptId(task.epoch, task.n),
    unit: unit?.id ?? '',
    pool: unit?.pool ?? '',
    agent: task.agent,
    run: task.run,
    result: 'open',
    reason: null,
    message: null,
    exitCode: null,
    signal: null,
    dispatchedAt: unit?.createdAt ?? 0,
    startedAt: task.state === 'running' ? task.startedAt : null,
    endedAt: null,
  };
}

const viewAttempt = (row: AttemptRow): AttemptView => ({
  attempt: attemptId(row.epoch, row.n),
  unit: row.unit,
  pool: row.pool,
  agent: row.agent,
  run: row.run,
  result: row.result,
  reason: row.reason,
  message: row.outcome?.message ?? null,
  exitCode: row.outcome?.exitCode ?? null,
  signal: row.outcome?.signal ?? null,
  dispatchedAt: row.dispatchedAt,
  startedAt: row.startedAt,
  endedAt: row.outcome?.endedAt ?? row.endedAt,
});
