import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  planDispatch,
  type PlanInput,
  type PlanPool,
  unitSize,
} from '../../../../coordinator/core/dispatch.ts';
import type { JobCandidate } from '../../../../coordinator/state/store.ts';
import type { JobId } from '../../../../shared/ids.ts';
import { specOf } from '../../../helpers/cluster.ts';

type SpecInput = Parameters<typeof specOf>[0];
const candidate = (
  job: string,
  fields: Partial<JobCandidate> = {},
  spec: Partial<SpecInput> = {},
): JobCandidate => ({
  job: job as JobId,
  owner: 'o',
  priority: 0,
  seq: 1,
  spec: specOf({ command: ['true'], ...spec }),
  ready: 1,
  outstanding: 0,
  meanMs: null,
  samples: 0,
  movedTo: null,
  ...fields,
});
const pool = (name: string, load: Partial<PlanPool['load']> = {}, pricePerCpuHour = 0): PlanPool => ({
  place: { name, provider: 'local', region: null, archs: [], labels: {}, pricePerCpuHour, shapes: [] },
  load: {
    pool: name,
    outstandingTasks: 0,
    outstandingUnits: 0,
    outstandingMs: 0,
    slots: 4,
    liveAgents: 1,
    shapes: [],
    ...load,
  },
});
const ownersOf = (candidates: JobCandidate[]): Map<string, number> => {
  const owners = new Map<string, number>();
  for (const { owner, outstanding } of candidates) owners.set(owner, (owners.get(owner) ?? 0) + outstanding);
  return owners;
};
const plan = (candidates: JobCandidate[], fields: Partial<PlanInput> = {}) =>
  planDispatch({
    candidates,
    pools: [pool('p')],
    owners: ownersOf(candidates),
    lookaheadMs: 10_000,
    unitTargetMs: 2_000,
    unknownMs: 1_000,
    maxUnitTasks: () => 1_000,
    ...fields,
  });
const tasksOf = (orders: ReturnType<typeof plan>, job?: string): number =>
  orders
    .filter((order) => job === undefined || order.job === job)
    .reduce((sum, { sizes }) => sum + sizes.reduce((a, b) => a + b, 0), 0);

test('nothing is known: units of one task, within the lookahead', () => {
  const [order] = plan([candidate('j', { ready: 1_000 })]);
  assert.deepEqual(order, { job: 'j', pool: 'p', sizes: Array.from({ length: 40 }, () => 1) });
});

test('units grow with what was measured, up to the target', () => {
  const size = (samples: number, meanMs: number) =>
    unitSize(
      { unitTargetMs: 2_000, maxUnitTasks: () => 1_000 } as unknown as PlanInput,
      candidate('j', { samples, meanMs }),
    );
  assert.deepEqual(
    [1, 2, 4, 100].map((samples) => size(samples, 10)),
    [2, 4, 8, 200],
  );
  assert.equal(size(10_000, 0.001), 1_000, 'what the message holds');
  assert.equal(size(10_000, 1_001), 1, 'a long task goes alone');
});

test('R9: a pool on trial gets one task, also of a job whose units are large', () => {
  const job = candidate('j', { ready: 10_000, meanMs: 10, samples: 1_000 });
  assert.deepEqual(plan([job], { pools: [{ ...pool('p'), onTrial: true }] })[0]?.sizes, [1]);
});

test('units that still grow go out whole', () => {
  const growing = (outstanding: number, outstandingUnits = 8) =>
    plan([candidate('j', { ready: 1_000, outstanding, meanMs: 10, samples: 8 })], {
      pools: [pool('p', { outstandingTasks: outstanding, outstandingUnits })],
    }).flatMap(({ sizes }) => sizes);
  assert.deepEqual(growing(0, 0), [16, 16, 16, 16, 16, 16, 16, 16]);
  assert.deepEqual(growing(100), [16]);
  assert.deepEqual(growing(113), [], 'two units a slot are out, but for a few tasks');
  assert.deepEqual(growing(113, 3), [15], 'they are all with others');
});

test('every slot gets a part of a small job', () => {
  const [order] = plan([candidate('j', { ready: 10, meanMs: 1, samples: 100 })]);
  assert.ok((order?.sizes.length ?? 0) >= 4, JSON.stringify(order));
  assert.equal(tasksOf([order!]), 10);
});

test('a pool that is full but for a little waits until there is room for a whole unit', () => {
  const short = candidate('j', { ready: 10_000, meanMs: 10, samples: 1_000 });
  const left = (ms: number, load: Partial<PlanPool['load']> = {}) => {
    const outstandingMs = 40_000 - ms;
    const pools = [pool('p', { outstandingTasks: 100, outstandingUnits: 20, outstandingMs, ...load })];
    return plan([short], { pools }).flatMap(({ sizes }) => sizes);
  };
  assert.deepEqual(left(1_999), []);
  assert.deepEqual(left(2_000), [200]);
  assert.deepEqual(left(2_500), [200, 200], 'the last one is a whole one, too');
  assert.ok(left(1_999, { outstandingUnits: 3 }).length > 0, 'a slot without a unit does not wait');
  const close = {
    lookaheadMs: 100,
    pools: [pool('p', { outstandingTasks: 9, outstandingUnits: 3, outstandingMs: 390 })],
  };
  assert.deepEqual(plan([short], close)[0]?.sizes.slice(0, 1), [20], 'never more than half of the lookahead');
});

test('higher priority first; the lower gets what room is left', () => {
  const orders = plan([
    candidate('low', { ready: 100, seq: 1 }),
    candidate('high', { ready: 30, seq: 2, priority: 5 }),
  ]);
  assert.deepEqual([tasksOf(orders, 'high'), tasksOf(orders, 'low')], [30, 10]);
});

test('owners share; within one the earlier job goes first', () => {
  const orders = plan([
    candidate('a1', { owner: 'a', ready: 100, seq: 1 }),
    candidate('a2', { owner: 'a', ready: 100, seq: 2 }),
    candidate('b1', { owner: 'b', ready: 100, seq: 3 }),
  ]);
  assert.deepEqual([tasksOf(orders, 'a1'), tasksOf(orders, 'a2'), tasksOf(orders, 'b1')], [20, 0, 20]);
});

test('who has work out already waits for the others', () => {
  const orders = plan([
    candidate('a', { owner: 'a', ready: 100, outstanding: 30 }),
    candidate('b', { owner: 'b', ready: 100, seq: 2 }),
  ]);
  assert.deepEqual([tasksOf(orders, 'a'), tasksOf(orders, 'b')], [5, 35]);
});

test('work that is out counts for its owner also when its own job has nothing more to give', () => {
  const two = [
    candidate('a', { owner: 'a', ready: 100 }),
    candidate('b', { owner: 'b', ready: 100, seq: 2 }),
  ];
  const orders = plan(two, { owners: new Map([['a', 30]]) });
  assert.deepEqual([tasksOf(orders, 'a'), tasksOf(orders, 'b')], [5, 35]);
});

test('maxParallel bounds what is out', () => {
  assert.equal(tasksOf(plan([candidate('j', { ready: 50, outstanding: 3 }, { maxParallel: 5 })])), 2);
  assert.deepEqual(plan([candidate('j', { ready: 50, outstanding: 7 }, { maxParallel: 5 })]), []);
});

test('long tasks: two a slot are out, however short the lookahead', () => {
  const long = candidate('j', { ready: 100, meanMs: 3_600_000, samples: 3 });
  assert.equal(tasksOf(plan([long])), 8);
  assert.equal(
    tasksOf(
      plan([long], {
        pools: [pool('p', { outstandingTasks: 7, outstandingUnits: 7, outstandingMs: 7 * 3_600_000 })],
      }),
    ),
    1,
  );
  assert.deepEqual(
    plan([long], {
      pools: [pool('p', { outstandingTasks: 8, outstandingUnits: 8, outstandingMs: 8 * 3_600_000 })],
    }),
    [],
  );
});

test('a pool without a live agent gets nothing, unless everything is pushed ahead', () => {
  const dead = { pools: [pool('p', { slots: 0, liveAgents: 0 })] };
  assert.deepEqual(plan([candidate('j', { ready: 5 })], dead), []);
  assert.equal(tasksOf(plan([candidate('j', { ready: 5 })], { ...dead, lookaheadMs: null })), 5);
});

test('the pool that is done first gets the work, the preferred one before it', () => {
  const pools = [pool('busy', { outstandingMs: 20_000 }), pool('idle')];
  assert.equal(plan([candidate('j')], { pools })[0]?.pool, 'idle');
  assert.equal(
    plan([candidate('j', {}, { placement: { prefer: { pools: ['busy'] } } })], { pools })[0]?.pool,
    'busy',
  );
  assert.equal(
    plan([candidate('j', {}, { placement: { require: { pools: ['busy'] } } })], { pools })[0]?.pool,
    'busy',
  );
});

test('a plan keeps every bound, and leaves no slot idle that could have work', () => {
  const candidates = fc.array(
    fc.record({
      owner: fc.constantFrom('a', 'b', 'c'),
      priority: fc.integer({ min: 0, max: 2 }),
      ready: fc.integer({ min: 1, max: 3_000 }),
      outstanding: fc.integer({ min: 0, max: 10 }),
      meanMs: fc.option(fc.double({ min: 0.01, max: 1e5, noNaN: true })),
      samples: fc.integer({ min: 1, max: 1e4 }),
      maxParallel: fc.option(fc.integer({ min: 1, max: 50 })),
    }),
    { minLength: 1, maxLength: 6 },
  );
  const slots = fc.integer({ min: 1, max: 16 });
  fc.assert(
    fc.property(candidates, slots, (fields, count) => {
      const jobs = fields.map(({ maxParallel, ...rest }, seq) =>
        candidate(
          `j${seq}`,
          { ...rest, seq, samples: rest.meanMs === null ? 0 : rest.samples },
          { maxParallel },
        ),
      );
      const out = jobs.reduce((sum, { outstanding }) => sum + outstanding, 0);
      const orders = plan(jobs, {
        pools: [pool('p', { slots: count, outstandingTasks: out, outstandingUnits: out })],
      });
      for (const job of jobs) {
        const planned = tasksOf(orders, job.job);
        assert.ok(planned <= job.ready);
        const { maxParallel } = job.spec;
        if (maxParallel !== null) assert.ok(planned === 0 || planned + job.outstanding <= maxParallel);
        const longest = Math.max(
          0,
          ...orders.filter((order) => order.job === job.job).flatMap(({ sizes }) => sizes),
        );
        if ((job.meanMs ?? Infinity) > 1_000) assert.ok(longest <= 1, 'a long task goes alone');
        else assert.ok(longest * (job.meanMs ?? 0) <= 2_000 || longest <= 1);
      }
      const possible = jobs.reduce(
        (sum, job) =>
          sum + Math.max(0, Math.min(job.ready, (job.spec.maxParallel ?? Infinity) - job.outstanding)),
        0,
      );
      const units = orders.flatMap(({ sizes }) => sizes).length;
      assert.ok(out + units >= Math.min(count, out + possible), `${units} units for ${count} slots`);
    }),
    { numRuns: 500 },
  );
});

test('one job spreads over all pools that suit, by expected finish; the cheap one is ahead by what counts as alike', () => {
  const job = candidate('j', { ready: 1_000, meanMs: 5_000, samples: 50 });
  const orders = plan([job], {
    pools: [pool('dear', { slots: 10 }, 2), pool('cheap', { slots: 10 }, 1), pool('small', { slots: 5 }, 2)],
    lookaheadMs: 60_000,
  });
  const given = Object.fromEntries(orders.map(({ pool: name, sizes }) => [name, sizes.length]));
  assert.deepEqual(given, { dear: 120, cheap: 120, small: 60 }, 'all full');
  const few = plan([candidate('j', { ready: 54, meanMs: 5_000, samples: 50 })], {
    pools: [pool('dear', { slots: 10 }, 2), pool('cheap', { slots: 10 }, 1), pool('small', { slots: 5 }, 2)],
    lookaheadMs: 60_000,
  });
  const part = Object.fromEntries(few.map(({ pool: name, sizes }) => [name, sizes.length]));
  assert.ok(part['cheap']! > part['dear']! && part['dear']! >= 2 * part['small']! - 1, JSON.stringify(part));
});

test('a moved job goes to its pool alone', () => {
  const orders = plan(
    [candidate('j', { ready: 4, movedTo: 'b' }, { placement: { require: { pools: ['a'] } } })],
    {
      pools: [pool('a'), pool('b')],
    },
  );
  assert.deepEqual([...new Set(orders.map(({ pool: name }) => name))], ['b']);
});
