import type { Matrix } from '../job-spec.ts';
import { countMatrix } from './expand.ts';
import { LIMITS } from './limits.ts';
import { fitsPattern } from './matrix.ts';
import { type Finding, formatPath, show, suggest } from './problems.ts';
import type { FileMatrix, JobFile } from './schema.ts';

/** Whether `array` and `matrix` make tasks, and how many. */
type Value = Matrix['axes'][number]['values'][number];
type Path = readonly PropertyKey[];

const AXIS_NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;
const SOURCES = ['count', 'items', 'fromFile', 'glob'] as const;

export function checkTasks(file: JobFile, given: ReadonlySet<string>): Finding[] {
  const found: Finding[] = [];
  if (given.has('array') && given.has('matrix'))
    found.push(finding(['matrix'], 'array is given too; a job has one of the two', 'key'));
  if (file.array !== undefined) found.push(...checkArray(file.array));
  if (file.matrix !== undefined) found.push(...checkMatrix(file.matrix));
  return found;
}

/** The axes with their ranges written out; of a matrix that `checkTasks` has passed. */
export function toMatrix({ include = [], exclude = [], ...axes }: FileMatrix): Matrix {
  const values = (axis: (typeof axes)[string]): Value[] =>
    Array.isArray(axis) ? axis : rangeValues(axis.range);
  return {
    axes: Object.entries(axes).map(([name, axis]) => ({ name, values: values(axis) })),
    include,
    exclude,
  };
}

const finding = (path: Path, message: string, at?: 'key'): Finding => ({
  path,
  message: `${formatPath(path)}: ${message}`,
  ...(at && { at }),
});
const limitFinding = (path: Path, message: string): Finding => ({ ...finding(path, message), limit: true });

function checkArray(array: NonNullable<JobFile['array']>): Finding[] {
  const found: Finding[] = [];
  const given = SOURCES.filter((key) => array[key] !== undefined);
  if (given.length !== 1) {
    const which = given.length === 0 ? 'has none' : `has ${given.join(' and ')}`;
    found.push(finding(['array'], `must have exactly one of ${SOURCES.join(', ')}; it ${which}`));
  }
  if (array.format !== undefined && array.fromFile === undefined) {
    found.push(finding(['array', 'format'], 'is for fromFile', 'key'));
  }
  if (array.count !== undefined && array.count > LIMITS.tasks)
    found.push(limitFinding(['array', 'count'], tooMany(array.count)));
  return found;
}

const tooMany = (count: number): string =>
  `${count} tasks are more than the ${LIMITS.tasks} that one job may have; make several jobs`;

function checkMatrix(file: FileMatrix): Finding[] {
  const found = checkAxes(file);
  if (found.length > 0) return found;
  const matrix = toMatrix(file);
  found.push(...checkSizes(matrix));
  if (found.length > 0) return found;
  found.push(...checkDuplicates(matrix), ...checkExcludes(matrix), ...checkIncludes(matrix));
  if (found.length === 0 && countMatrix(matrix) === 0)
    found.push(finding(['matrix', 'exclude'], 'leaves out every combination, so there is no task', 'key'));
  return found;
}

function checkAxes({ include: _include, exclude: _exclude, ...axes }: FileMatrix): Finding[] {
  const found: Finding[] = [];
  if (Object.keys(axes).length === 0)
    found.push(finding(['matrix'], 'has no axis; write for example size: [1, 10]'));
  for (const [name, axis] of Object.entries(axes)) {
    if (!AXIS_NAME.test(name)) {
      found.push(
        finding(
          ['matrix', name],
          'the name of an axis is letters, digits, "_" and "-", and begins with a letter',
          'key',
        ),
      );
    }
    if (!Array.isArray(axis)) found.push(...checkRange(['matrix', name, 'range'], axis.range));
  }
  return found;
}

interface Range {
  from: number;
  to: number;
  step?: number | undefined;
}

const stepOf = ({ from, to, step }: Range): number => step ?? (to < from ? -1 : 1);

// 0.1 + 0.2: steps are counted with a little tolerance and values rounded to 12 digits.
const countRange = (range: Range): number => Math.floor((range.to - range.from) / stepOf(range) + 1e-9) + 1;

const rangeValues = (range: Range): number[] =>
  Array.from({ length: countRange(range) }, (_, n) =>
    Number((range.from + n * stepOf(range)).toPrecision(12)),
  );

function checkRange(path: Path, range: Range): Finding[] {
  const step = stepOf(range);
  if (step === 0) return [finding([...path, 'step'], 'must not be 0')];
  if ((range.to - range.from) / step < 0) {
    return [finding([...path, 'step'], `${step} leads away from ${range.to}; write ${-step}`)];
  }
  const count = countRange(range);
  return count > LIMITS.axisValues ? [limitFinding(path, tooManyValues(count))] : [];
}

const tooManyValues = (count: number): string =>
  `${count} values are more than the ${LIMITS.axisValues} of one axis; use array.count and \${{ task.index }} for so many`;

function checkSizes(matrix: Matrix): Finding[] {
  const found: Finding[] = [];
  const product = matrix.axes.reduce((total, axis) => total * axis.values.length, 1) + matrix.include.length;
  if (product > LIMITS.tasks) found.push(limitFinding(['matrix'], tooMany(product)));
  for (const { name, values } of matrix.axes) {
    if (values.length > LIMITS.axisValues)
      found.push(limitFinding(['matrix', name], tooManyValues(values.length)));
  }
  for (const [key, most] of [
    ['exclude', LIMITS.excludes],
    ['include', LIMITS.includes],
  ] as const) {
    if (matrix[key].length > most)
      found.push(limitFinding(['matrix', key], `more than ${most} entries; list the tasks in array.items`));
  }
  return found;
}

function checkDuplicates(matrix: Matrix): Finding[] {
  return matrix.axes.flatMap(({ name, values }) => {
    const seen = new Set<Value>();
    return values.flatMap((value, index) => {
      if (!seen.has(value)) {
        seen.add(value);
        return [];
      }
      return [finding(['matrix', name, index], `${show(value)} is given twice`)];
    });
  });
}

function checkExcludes({ axes, exclude }: Matrix): Finding[] {
  return exclude.flatMap((entry, index) => {
    const path = ['matrix', 'exclude', index];
    if (Object.keys(entry).length === 0)
      return [finding(path, 'names no axis, so it would leave out everything')];
    return Object.entries(entry).flatMap(([name, value]) => {
      const axis = axes.find((candidate) => candidate.name === name);
      if (axis === undefined) return [unknownAxis([...path, name], name, axes)];
      if (axis.values.includes(value)) return [];
      const alike = axis.values.find((known) => String(known) === String(value));
      const hint = alike === undefined ? suggestValue(value, axis.values) : `; the axis has ${show(alike)}`;
      return [finding([...path, name], `${name} has no value ${show(value)}${hint}`)];
    });
  });
}

const unknownAxis = (path: Path, name: string, axes: Matrix['axes']): Finding =>
  finding(
    path,
    `there is no axis "${name}"${suggest(
      name,
      axes.map((axis) => axis.name),
    )}`,
    'key',
  );

const suggestValue = (value: Value, values: readonly Value[]): string =>
  suggest(String(value), values.slice(0, 20).map(String));

function checkIncludes({ axes, exclude, include }: Matrix): Finding[] {
  const known = new Map(axes.map((axis) => [axis.name, new Set(axis.values)]));
  const seen = new Set<string>();
  return include.flatMap((entry, index) => {
    const path = ['matrix', 'include', index];
    const unknown = Object.keys(entry).filter((name) => !known.has(name));
    if (unknown.length > 0) return unknown.map((name) => unknownAxis([...path, name], name, axes));
    const missing = axes.filter((axis) => !Object.hasOwn(entry, axis.name)).map((axis) => axis.name);
    if (missing.length > 0)
      return [finding(path, `must give a value to every axis; ${missing.join(', ')} is missing`)];
    const key = JSON.stringify(axes.map((axis) => entry[axis.name]));
    const isInside = axes.every((axis) => known.get(axis.name)?.has(entry[axis.name] as Value));
    const isTwice = seen.has(key) || (isInside && !exclude.some((pattern) => fitsPattern(entry, pattern)));
    seen.add(key);
    return isTwice ? [finding(path, 'this combination is there already and would run twice')] : [];
  });
}
