import type { JobSpec } from '../../shared/job-spec.ts';
import type { TaskCounts } from '../../shared/task-state.ts';

/** True when so many of the job's tasks ended badly that the rest is to be cancelled. `size`: number of tasks. */
export function mustFailFast(failFast: JobSpec['failFast'], counts: TaskCounts, size: number): boolean {
  if (failFast === null) return false;
  const bad = counts.failed + counts.lost;
  if ('count' in failFast) return bad >= failFast.count;
  return bad > 0 && (bad / size) * 100 >= failFast.percent;
}
