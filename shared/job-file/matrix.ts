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

/**
 * With exclusions: walk the axes as levels of a tree and count, below each node, what is not excluded. The count
 * depends only on the level and on the patterns still alive there, so few counts are ever made.
 */
function sparseRow({ axes, exclude }: Matrix): CompiledMatrix {
  const known = new Map<string, number>();
  const survivors = (level: number, alive: readonly number[], value: Value): number[] =>
    alive.filter((pattern) => agrees(exclude[pattern], axes[level]?.name ?? '', value));
  const count = (level: number, alive: readonly number[]): number => {
    if (alive.some((pattern) => endsBefore(exclude[pattern], axes.slice(level)))) return 0;
    if (level === axes.length) return 1;
    const key = `${level}:${alive.join()}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const values = axes[level]?.values ?? [];
    const sum = values.reduce<number>((total, value) => total + count(level + 1, survivors(level, alive, value)), 0);
    known.set(key, sum);
    return sum;
  };
  const at = (index: number): Combination => {
    const chosen: Combination = {};
    let alive = exclude.map((_, pattern) => pattern);
    let rest = index;
    for (const [level, axis] of axes.entries()) {
      for (const value of axis.values) {
        const next = survivors(level, alive, value);
        const below = count(level + 1, next);
        if (rest < below) {
          chosen[axis.name] = value;
          alive = next;
          break;
        }
        rest -= below;
      }
    }
    return chosen;
  };
  return { count: count(0, exclude.map((_, pattern) => pattern)), at };
}

const agrees = (pattern: Combination | undefined, axis: string, value: Value): boolean =>
  pattern !== undefined && (!Object.hasOwn(pattern, axis) || pattern[axis] === value);

/** Nothing that the pattern asks for is still to come: all below fits it. */
const endsBefore = (pattern: Combination | undefined, left: Matrix['axes']): boolean =>
  pattern !== undefined && !left.some((axis) => Object.hasOwn(pattern, axis.name));
