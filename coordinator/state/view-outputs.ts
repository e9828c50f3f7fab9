import { parseAttemptId } from '../../shared/ids.ts';
import type { Outcome, OutputFile } from '../../shared/wire/event.ts';
import type { OutputView } from '../http/api.ts';
import { attemptAt } from './attempts.ts';
import type { JobRow } from './job-rows.ts';
import type { Session } from './session.ts';
import { badTasks, isExported, taskAt } from './tasks.ts';

export function outcomeOf(s: Session, job: JobRow, index: number, run: string): Outcome | undefined {
  const attempt = parseAttemptId(run.split('-')[0] ?? '');
  const outcome = attempt === undefined ? undefined : attemptAt(s, job, index, attempt)?.outcome;
  return outcome?.run === run ? outcome : undefined;
}

/** Of the visible run, once it may be shown. */
export function outputsOf(s: Session, job: JobRow, index: number): OutputFile[] {
  const task = taskAt(s, job, index);
  if (task === undefined || task.run === null || task.outputs === 0 || !isExported(s, task.verdict)) return [];
  return outcomeOf(s, job, index, task.run)?.outputs ?? [];
}

export function viewOutputs(
  s: Session,
  job: JobRow,
  { limit, after }: { limit: number; after?: string | undefined },
): { outputs: OutputView[]; next?: string } {
  const outputs: OutputView[] = [];
  const rows = s.sql('SELECT idx, run FROM tasks WHERE job = ? AND outputs > 0 AND idx > ? ORDER BY idx').iterate(job.seq, Number(after ?? -1));
  let last: number | undefined;
  for (const row of rows) {
    if (outputs.length >= limit && last !== undefined) return { outputs, next: String(last) };
    last = row['idx'] as number;
    const run = (row['run'] as string | null) ?? '';
    for (const { path, key, sizeBytes, sha256 } of outputsOf(s, job, last)) outputs.push({ index: last, run, path, key, sizeBytes, sha256 });
  }
  return { outputs };
}

const ALL = { after: -1, limit: -1 };

export function retryable(s: Session, job: JobRow): number[] {
  const indices = (['failed', 'lost'] as const).flatMap((state) => badTasks(s, job, state, ALL).map(({ idx }) => idx));
  for (const task of badTasks(s, job, 'cancelled', ALL)) if (task.reason === 'failFast') indices.push(task.idx);
  if (job.restState === 'cancelled' && job.cancelReason === 'failFast') {
    for (let index = job.restFrom; index < job.size && job.restCount > 0; index += 1) {
      if (taskAt(s, job, index)?.fromRest === true) indices.push(index);
    }
  }
  return indices.sort((a, b) => a - b);
}
