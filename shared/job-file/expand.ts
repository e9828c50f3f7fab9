import type { JobSpec, Matrix, TaskParams } from '../job-spec.ts';
import { type CompiledMatrix, compileMatrix } from './matrix.ts';

type TaskSet = JobSpec['tasks'];

/** What task `index` has for its own. `items` are the records that came with a task set of the kind `items`. */
export function paramsOf(tasks: TaskSet, index: number, items?: readonly TaskParams[]): TaskParams {
  switch (tasks.kind) {
    case 'count':
      return {};
    case 'matrix':
      return { matrix: compiledOnce(tasks.matrix).at(index) };
    case 'items':
      return items?.[index] ?? {};
  }
}

/** The number of combinations, exclusions and inclusions counted. */
export const countMatrix = (matrix: Matrix): number => compiledOnce(matrix).count;

// Counting below exclusions is done once a matrix, not once a task.
const compiled = new WeakMap<Matrix, CompiledMatrix>();

function compiledOnce(matrix: Matrix): CompiledMatrix {
  const before = compiled.get(matrix);
  if (before !== undefined) return before;
  const made = compileMatrix(matrix);
  compiled.set(matrix, made);
  return made;
}
