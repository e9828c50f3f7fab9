import { parseAttemptId } from '../../shared/ids.ts';
import type { Outcome } from '../../shared/wire/event.ts';
import type { OutputView } from '../http/api.ts';
import { attemptAt, type AttemptRow } from './attempts.ts';
import type { JobRow } from './job-rows.ts';
import type { Session } from './session.ts';
import { listedTasks, isExported, taskAt, tasksWithOutputs } from './tasks.ts';

export function outcomeOf(s: Session, job: JobRow, index: number, run: string): Outcome | undefined {
  return attemptOf(s, job, index, run)?.outcome ?? undefined;
}

/** The attempt that this run was of, if it is the one whose outcome is kept. */
function attemptOf(s: Session, job: JobRow, index: number, run: string): AttemptRow | undefined {
  const id = parseAttemptId(run.split('-')[0] ?? '');
  const attempt = id === undefined ? undefined : attemptAt(s, job, index, id);
  return attempt?.outcome?.run === run ? attempt : undefined;
}

/** `pool`: whose store holds it. */
export type StoredOutput = Omit<OutputView, 'index'>;

/** Of the visible run, once it may be shown. */
export function outputsOf(s: Session, job: JobRow, index: number): StoredOutput[] {
  const task = taskAt(s, job, index);
  if (task === undefined || task.run === null || task.outputs === 0 || !isExported(s, task.verdict))
    return [];
  const { run } = task;
  const attempt = attemptOf(s, job, index, run);
  if (attempt === undefined) return [];
  const { pool, outcome } = attempt;
  return (outcome?.outputs ?? []).map(({ path, key, sizeBytes, sha256 }) => ({
    run,
    pool,
    path,
    key,
    sizeBytes,
    sha256,
  }));
}

export function viewOutputs(
  s: Session,
  job: JobRow,
  { limit, after }: { limit: number; after?: string | undefined },
): { outputs: OutputView[]; next?: string } {
  const outputs: OutputView[] = [];
  let last = Number(after ?? -1);
  for (;;) {
    const tasks = tasksWithOutputs(s, job, { after: last, limit: CHUNK });
    for (const { idx } of tasks) {
      if (outputs.length >= limit) return { outputs, next: String(last) };
      last = idx;
      outputs.push(...outputsOf(s, job, idx).map((output) => ({ index: idx, ...output })));
    }
    if (tasks.length < CHUNK) return { outputs };
  }
}

const CHUNK = 100;
const ALL = { after: -1, limit: -1 };

export function retryable(s: Session, job: JobRow): number[] {
  const indices = (['failed', 'lost'] as const).flatMap((state) =>
    listedTasks(s, job, state, ALL).map(({ idx }) => idx),
  );
  for (const task of listedTasks(s, job, 'cancelled', ALL))
    if (task.reason === 'failFast') indices.push(task.idx);
  if (job.restState === 'cancelled' && job.cancelReason === 'failFast') {
    for (let index = job.restFrom; index < job.size && job.restCount > 0; index += 1) {
      if (taskAt(s, job, index)?.fromRest === true) indices.push(index);
    }
  }
  return indices.sort((a, b) => a - b);
}
