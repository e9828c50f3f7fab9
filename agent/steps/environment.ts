import { join } from 'node:path';
import { taskId } from '../../shared/ids.ts';
import { AGENT_ENVIRONMENT } from '../process/environment.ts';
import { OUTPUT_DIRECTORY } from '../process/work-directory.ts';
import type { TaskToRun } from '../types.ts';

/** The whole environment of a task (DESIGN §8): the job's own may replace all but `CLOBI_*`. */
export function taskEnvironment(
  { unit, spec, task }: TaskToRun,
  own: Readonly<Record<string, string>>,
  workDirectory: string,
): Record<string, string> {
  return {
    ...AGENT_ENVIRONMENT,
    HOME: workDirectory,
    ...own,
    CLOBI_JOB_ID: unit.job,
    CLOBI_TASK_ID: taskId(unit.job, task.index),
    CLOBI_TASK_INDEX: String(task.index),
    CLOBI_TASK_COUNT: String(unit.taskCount),
    CLOBI_ATTEMPT: task.attempt,
    CLOBI_WORK_DIR: workDirectory,
    CLOBI_OUTPUT_DIR: join(workDirectory, OUTPUT_DIRECTORY),
    CLOBI_CPUS: String(spec.resources.cpus),
    // Empty where the job sets no limit, so that a script under `set -u` may read it.
    CLOBI_MEMORY: String(spec.resources.memoryBytes ?? ''),
  };
}
