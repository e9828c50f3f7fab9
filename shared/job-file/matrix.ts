import type { Matrix } from '../job-spec.ts';

type Value = Matrix['axes'][number]['values'][number];
export type Combination = Record<string, Value>;

/** A matrix as a numbered row of combinations, none of which is kept: each is computed from its number. */
export interface CompiledMatrix {
  count: number;
  /** The combination with this number, 0 … count-1: the last axis varies fastest, included ones come last. */
  at(index: number): Combination;
}

export function compileMatrix(matrix: Matrix): CompiledMatrix {
  const body = matrix.exclude.length === 0 ? plainRow(matrix) : sparseRow(matrix);
  return {
    count: body.count + matrix.include.length,
    at: (index) => (index < body.count ? body.at(index) : { ...matrix.include[index - body.count] }),
  };
}

/** True when the combination has every value that the pattern names. */
export const fitsPattern = (combination: Readonly<Combination>, pattern: Readonly<Combination>): boolean =>
  Object.entries(pattern).every(([axis, value]) => combination[axis] === value);

/** Without exclusions the number is the digits in mixed radix. */
function plainRow({ axes }: Matrix): CompiledMatrix {
  return {
    count: axes.reduce((product, axis) => product * axis.values.length, axes.length === 0 ? 0 : 1),
    at: (index) => {
      const values: Value[] = [];
      let rest = index;
      for (const axis of axes.toReversed()) {
        values.push(axis.values[rest % axis.values.length] as Value);
        rest = Math.floor(rest / axis.values.length);
      }
      values.reverse();
      return Object.fromEntries(axes.map((axis, at) => [axis.name, values[at] as Value]));
    },
  };
}

/** The exclusions that may still apply below a node of the tree, by their number. */
type Alive = readonly number[];

/**
 * With exclusions: walk the axes as levels of a tree and count, below each node, what is not excluded. The count
 * depends only on the level and the exclusions still alive there, and all values of an axis that no exclusion
 * names have the same one, so few counts are ever made and no row of values is walked.
 */
function sparseRow({ axes, exclude }: Matrix): CompiledMatrix {
  const known = new Map<string, number>();
  const named = axes.map((axis) => namedPositions(axis, exclude));

  const below = (
    level: number,
    alive: Alive,
    position: number | undefined,
  ): { alive: Alive; count: number } => {
    const axis = axes[level];
    const next = alive.filter((at) =>
      agrees(exclude[at], axis?.name ?? '', position === undefined ? NONE : axis?.values[position]),
    );
    return { alive: next, count: count(level + 1, next) };
  };
  const count = (level: number, alive: Alive): number => {
    const left = axes.slice(level);
    if (alive.some((at) => !left.some((axis) => Object.hasOwn(exclude[at] ?? {}, axis.name)))) return 0;
    if (level === axes.length) return 1;
    const key = `${level}:${alive.join()}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const positions = named[level] ?? [];
    const others = (axes[level]?.values.length ?? 0) - positions.length;
    let sum = others === 0 ? 0 : others * below(level, alive, undefined).count;
    for (const position of positions) sum += below(level, alive, position).count;
    known.set(key, sum);
    return sum;
  };
  const at = (index: number): Combination => {
    const chosen: Combination = {};
    let alive: Alive = exclude.map((_, number) => number);
    let rest = index;
    for (const [level, axis] of axes.entries()) {
      const step = choose({
        positions: named[level] ?? [],
        rest,
        below: (position) => below(level, alive, position),
      });
      chosen[axis.name] = axis.values[step.position] as Value;
      ({ alive, rest } = step);
    }
    return chosen;
  };
  return {
    count: count(
      0,
      exclude.map((_, number) => number),
    ),
    at,
  };
}

/** The position on one axis under which the `rest`-th combination is, and its number there. */
function choose(node: {
  positions: readonly number[];
  rest: number;
  below: (position: number | undefined) => { alive: Alive; count: number };
}): { position: number; rest: number; alive: Alive } {
  const other = node.below(undefined);
  let rest = node.rest;
  let from = 0;
  for (const position of [...node.positions, Number.POSITIVE_INFINITY]) {
    const inRun = (position - from) * other.count;
    if (rest < inRun)
      return {
        position: from + Math.floor(rest / other.count),
        rest: rest % other.count,
        alive: other.alive,
      };
    rest -= inRun;
    const here = node.below(position);
    if (rest < here.count) return { position, rest, alive: here.alive };
    rest -= here.count;
    from = position + 1;
  }
  throw new RangeError('a matrix has no combination with this number');
}

/** Equal to no value that a file can hold. */
const NONE = Symbol('a value that no exclusion names');

function namedPositions(axis: Matrix['axes'][number], exclude: Matrix['exclude']): number[] {
  const values = new Set(
    exclude.filter((pattern) => Object.hasOwn(pattern, axis.name)).map((pattern) => pattern[axis.name]),
  );
  return [...axis.values.keys()].filter((position) => values.has(axis.values[position] as Value));
}

const agrees = (
  pattern: Combination | undefined,
  axis: string,
  value: Value | undefined | typeof NONE,
): boolean => pattern !== undefined && (!Object.hasOwn(pattern, axis) || pattern[axis] === value);
