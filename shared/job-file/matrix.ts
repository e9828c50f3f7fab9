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

/** A choice of the values of the first axes, as far as it matters for the exclusions. */
interface Node {
  /** Combinations below it that are not excluded. */
  count: number;
  /** Under values that some exclusion names, by position; under all the others it looks alike. */
  named: readonly { position: number; node: Node }[];
  other: Node | undefined;
}

const EXCLUDED: Node = { count: 0, named: [], other: undefined };
const WHOLE: Node = { count: 1, named: [], other: undefined };

/** With exclusions: a tree of choices. Choices that leave the same exclusions open share a node, so it stays small. */
function sparseRow({ axes, exclude }: Matrix): CompiledMatrix {
  const root = buildTree({ axes, exclude });
  return {
    count: root.count,
    at: (index) => {
      const chosen: Combination = {};
      let node = root;
      let rest = index;
      for (const axis of axes) {
        const step = choose(node, rest);
        chosen[axis.name] = axis.values[step.position] as Value;
        ({ node, rest } = step);
      }
      return chosen;
    },
  };
}

function buildTree({ axes, exclude }: Pick<Matrix, 'axes' | 'exclude'>): Node {
  const known = new Map<string, Node>();
  const positions = axes.map((axis) => namedPositions(axis, exclude));
  const lastLevels = exclude.map((pattern) =>
    axes.findLastIndex((axis) => Object.hasOwn(pattern, axis.name)),
  );
  /** `alive` are the exclusions, by number, that fit all that is chosen above `level`. */
  const build = (level: number, alive: readonly number[]): Node => {
    if (alive.some((number) => (lastLevels[number] ?? -1) < level)) return EXCLUDED;
    const axis = axes[level];
    if (axis === undefined) return WHOLE;
    const key = `${level}:${alive.join()}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const under = (value: Value | undefined): Node =>
      build(
        level + 1,
        alive.filter((number) => agrees(exclude[number], axis.name, value)),
      );
    const named = (positions[level] ?? []).map((position) => ({
      position,
      node: under(axis.values[position]),
    }));
    const others = axis.values.length - named.length;
    const other = others === 0 ? undefined : under(undefined);
    const count = named.reduce((sum, { node }) => sum + node.count, others * (other?.count ?? 0));
    const node = { count, named, other };
    known.set(key, node);
    return node;
  };
  return build(0, [...exclude.keys()]);
}

/** The position on a node's axis under which its `index`-th combination is, and the number of it there. */
function choose({ named, other }: Node, index: number): { position: number; node: Node; rest: number } {
  let rest = index;
  let from = 0;
  for (const { position, node } of named) {
    const before = (position - from) * (other?.count ?? 0);
    if (rest < before) break;
    rest -= before;
    if (rest < node.count) return { position, node, rest };
    rest -= node.count;
    from = position + 1;
  }
  if (other === undefined || other.count === 0)
    throw new RangeError('a matrix has no combination with this number');
  return { position: from + Math.floor(rest / other.count), node: other, rest: rest % other.count };
}

function namedPositions(axis: Matrix['axes'][number], exclude: Matrix['exclude']): number[] {
  const values = new Set(exclude.map((pattern) => pattern[axis.name]));
  return [...axis.values.keys()].filter((position) => values.has(axis.values[position]));
}

/** Whether the pattern fits this value of the axis; undefined is a value that no pattern names. */
const agrees = (pattern: Combination | undefined, axis: string, value: Value | undefined): boolean =>
  pattern !== undefined && (!Object.hasOwn(pattern, axis) || pattern[axis] === value);
