import { createHash } from 'node:crypto';
import { messageOf } from '../../shared/errors.ts';
import {
  type CompiledTemplates,
  compileTemplates,
  type RenderedTask,
  renderTask,
} from '../../shared/job-file/interpolate.ts';
import type { JobSpec, TaskParams } from '../../shared/job-spec.ts';
import { taskParamsSchema } from '../../shared/job-spec.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { readText } from '../read-text.ts';
import type { TaskToRun } from '../types.ts';
import { withRetries } from './retry.ts';
import { TaskProblem } from './task-problem.ts';

/** One job's tasks come with one spec object, so its templates are parsed once. */
const compiled = new WeakMap<JobSpec, CompiledTemplates>();

/** What this task runs, with its own values put in. Throws a `TaskProblem` when a template has no value. */
export function renderForTask({ unit, spec, task }: TaskToRun, params: TaskParams): RenderedTask {
  try {
    let templates = compiled.get(spec);
    if (templates === undefined) {
      templates = compileTemplates(spec);
      compiled.set(spec, templates);
    }
    return (
      templates.constant ??
      renderTask(templates, { jobId: unit.job, index: task.index, count: unit.taskCount, params })
    );
  } catch (error) {
    throw new TaskProblem('start', messageOf(error), error);
  }
}

const LARGEST_PARAMS_BYTES = 16 * 1024 * 1024;

/** The task's own values when they did not fit its unit. */
export async function fetchParams(
  store: ObjectStore,
  at: { key: string; sha256: string },
  signal: AbortSignal,
): Promise<TaskParams> {
  try {
    const read = await withRetries(() => readText(store, at.key, { maxBytes: LARGEST_PARAMS_BYTES }), {
      signal,
    });
    const text = read?.text ?? '';
    if (createHash('sha256').update(text).digest('hex') !== at.sha256)
      throw new Error('its SHA-256 differs from the one that the unit was signed with');
    return taskParamsSchema.parse(JSON.parse(text));
  } catch (error) {
    signal.throwIfAborted();
    throw new TaskProblem(
      'input',
      `The task's parameters ${at.key} cannot be read: ${messageOf(error)}`,
      error,
    );
  }
}
