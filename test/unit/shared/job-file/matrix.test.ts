import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { paramsOf } from '../../../../shared/job-file/expand.ts';
import { type Combination, compileMatrix, fitsPattern } from '../../../../shared/job-file/matrix.ts';
import type { Matrix } from '../../../../shared/job-spec.ts';

const rows = (matrix: Matrix): Combination[] => {
  const compiled = compileMatrix(matrix);
  return Array.from({ length: compiled.count }, (_, index) => compiled.at(index));
};

/** What the definition says: nested loops, then drop, then add. */
function expected({ axes, exclude, include }: Matrix): Combination[] {
  let all: Combination[] = [{}];
  for (const { name, values } of axes)
    all = all.flatMap((row) => values.map((value) => ({ ...row, [name]: value })));
  return [...all.filter((row) => !exclude.some((pattern) => fitsPattern(row, pattern))), ...include];
}

const axes = fc
  .array(
    fc.uniqueArray(fc.oneof(fc.nat(9), fc.constantFrom('a', 'b', true)), { minLength: 1, maxLength: 5 }),
    { minLength: 1, maxLength: 4 },
  )
  .map((lists) => lists.map((values, at) => ({ name: `axis${at}`, values })));

const matrices: fc.Arbitrary<Matrix> = axes.chain((axes) => {
  const pattern = fc
    .record(Object.fromEntries(axes.map(({ name, values }) => [name, fc.constantFrom(...values)])), {
      requiredKeys: [],
    })
    .filter((entry) => Object.keys(entry).length > 0) as fc.Arbitrary<Combination>;
  return fc.record({
    axes: fc.constant(axes),
    exclude: fc.array(pattern, { maxLength: 5 }),
    include: fc.array(fc.constant<Combination>({ axis0: 'added' }), { maxLength: 2 }),
  });
});

test('the numbers 0 … count-1 are the combinations, in order, each once', () => {
  fc.assert(
    fc.property(matrices, (matrix) => {
      assert.deepEqual(rows(matrix), expected(matrix));
    }),
    { numRuns: 500 },
  );
});

test('the last axis varies fastest and included rows come last', () => {
  const matrix = {
    axes: [
      { name: 'a', values: [1, 2] },
      { name: 'b', values: ['x', 'y'] },
    ],
    exclude: [{ a: 1, b: 'y' }],
    include: [{ a: 9, b: 'z' }],
  };
  assert.deepEqual(rows(matrix), [
    { a: 1, b: 'x' },
    { a: 2, b: 'x' },
    { a: 2, b: 'y' },
    { a: 9, b: 'z' },
  ]);
});

test('ten million combinations with exclusions are counted, and each is found', () => {
  const values = Array.from({ length: 3162 }, (_, n) => n);
  const exclude = Array.from({ length: 200 }, (_, n) => ({ a: n * 3, b: n * 5 }));
  const tasks = {
    kind: 'matrix' as const,
    count: 0,
    matrix: {
      axes: [
        { name: 'a', values },
        { name: 'b', values },
      ],
      exclude,
      include: [],
    },
  };
  const count = compileMatrix(tasks.matrix).count;
  assert.equal(count, 3162 * 3162 - 200);
  for (let index = 0; index < count; index += 9973) paramsOf(tasks, index);
  assert.deepEqual(paramsOf(tasks, count - 1), { matrix: { a: 3161, b: 3161 } });
});

test('parameters come by the kind of the task set', () => {
  assert.deepEqual(paramsOf({ kind: 'count', count: 3 }, 2), {});
  assert.deepEqual(paramsOf({ kind: 'items', count: 2 }, 1, [{ item: 'a' }, { item: 'b' }]), { item: 'b' });
  assert.deepEqual(paramsOf({ kind: 'items', count: 2 }, 1), {});
});
