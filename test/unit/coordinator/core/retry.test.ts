import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { judgeLoss, judgeOutcome, type TaskFacts } from '../../../../coordinator/core/commit.ts';
import { mustFailFast } from '../../../../coordinator/core/fail-fast.ts';
import { afterFailure, backoffMs } from '../../../../coordinator/core/retry.ts';
import type { RetryRule } from '../../../../shared/job-spec.ts';
import { noTasks, TASK_STATES, TERMINAL_STATES } from '../../../../shared/task-state.ts';

const BACKOFF = { initialMs: 100, factor: 2, maxMs: 1_000 };
const retry = (limit: number, rules: RetryRule[] = []) => ({ limit, lost: 3, backoff: BACKOFF, rules });
const EXIT_1 = { reason: 'exit' as const, exitCode: 1, signal: null };
const first = { failures: 1, now: 0, random: 0.5 };

test('a failure is tried again while retry.limit allows', () => {
  assert.deepEqual(afterFailure(retry(2), EXIT_1, { ...first, failures: 2 }), { again: true, readyAt: 100 });
  assert.deepEqual(afterFailure(retry(2), EXIT_1, { ...first, failures: 3 }), { again: false });
  assert.deepEqual(afterFailure(retry(0), EXIT_1, first), { again: false });
});

test('the first rule that fits decides, the limit still holds', () => {
  const rules: RetryRule[] = [
    { exitCodes: [1, 2], action: 'fail' },
    { signals: ['SIGKILL'], action: 'retry' },
    { oom: true, action: 'fail' },
  ];
  assert.equal(afterFailure(retry(5, rules), EXIT_1, first).again, false);
  assert.equal(afterFailure(retry(5, rules), { ...EXIT_1, exitCode: 3 }, first).again, true);
  assert.equal(
    afterFailure(retry(5, rules), { reason: 'oom', exitCode: null, signal: 'SIGKILL' }, first).again,
    false,
    'memory is told apart from a signal',
  );
  assert.equal(
    afterFailure(retry(0, rules), { reason: 'signal', exitCode: null, signal: 'SIGKILL' }, first).again,
    false,
  );
});

test('all conditions of a rule must hold; exit codes say nothing of a timeout', () => {
  const rules: RetryRule[] = [
    { exitCodes: [143], timeout: true, action: 'fail' },
    { timeout: true, action: 'fail' },
  ];
  assert.equal(
    afterFailure(retry(1, rules), { reason: 'exit', exitCode: 143, signal: null }, first).again,
    true,
  );
  assert.equal(
    afterFailure(retry(1, rules), { reason: 'timeout', exitCode: 143, signal: null }, first).again,
    false,
  );
});

test('backoff is within the exponential ceiling and reaches all of it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (failures, random) => {
        const ms = backoffMs(BACKOFF, failures, random);
        assert.ok(ms >= 0 && ms <= Math.min(1_000, 100 * 2 ** (failures - 1)), `${failures}: ${ms}`);
      },
    ),
  );
  assert.equal(backoffMs(BACKOFF, 3, 0), 0);
  assert.equal(backoffMs(BACKOFF, 3, 0.999), 399);
});

const factsArbitrary: fc.Arbitrary<TaskFacts> = fc.record({
  state: fc.constantFrom(...TASK_STATES),
  epoch: fc.integer({ min: 1, max: 2 }),
  n: fc.integer({ min: 1, max: 3 }),
  failures: fc.integer({ min: 0, max: 3 }),
  losses: fc.integer({ min: 0, max: 3 }),
});
const outcomeArbitrary = fc.record({
  result: fc.constantFrom('succeeded' as const, 'failed' as const, 'cancelled' as const),
  reason: fc.constantFrom('exit' as const, 'timeout' as const, null),
  exitCode: fc.constantFrom(0, 1, null),
  signal: fc.constant(null),
  attempt: fc.record({ epoch: fc.integer({ min: 1, max: 2 }), n: fc.integer({ min: 1, max: 3 }) }),
});
const now = { now: 10, random: 0.5 };

test('R5: nothing moves a terminal task, any success ends an open one, a failure counts only in exactly its attempt', () => {
  fc.assert(
    fc.property(factsArbitrary, outcomeArbitrary, (task, outcome) => {
      const judged = judgeOutcome(task, outcome, retry(2), now);
      const terminal = (TERMINAL_STATES as readonly string[]).includes(task.state);
      const current =
        (task.state === 'dispatched' || task.state === 'running') &&
        task.epoch === outcome.attempt.epoch &&
        task.n === outcome.attempt.n;
      if (terminal) assert.equal(judged.kind, 'superseded');
      else if (outcome.result === 'succeeded')
        assert.deepEqual(judged, { kind: 'end', state: 'succeeded', counted: 'success' });
      else if (!current) assert.equal(judged.kind, 'superseded');
      else
        assert.equal(
          judged.kind !== 'superseded' && judged.counted,
          outcome.result === 'failed' ? 'failure' : 'loss',
        );
    }),
  );
});

test('R6: a loss uses up retry.lost alone, and needs no backoff', () => {
  const task: TaskFacts = { state: 'running', epoch: 1, n: 1, failures: 9, losses: 2 };
  assert.deepEqual(judgeLoss(task, retry(0), 5), {
    kind: 'again',
    state: 'ready',
    readyAt: 5,
    counted: 'loss',
  });
  assert.deepEqual(judgeLoss({ ...task, losses: 3 }, retry(0), 5), {
    kind: 'end',
    state: 'lost',
    counted: 'loss',
  });
});

test('failFast by number and by part', () => {
  const counts = { ...noTasks(), failed: 2, lost: 1 };
  assert.equal(mustFailFast(null, counts, 10), false);
  assert.equal(mustFailFast({ count: 4 }, counts, 10), false);
  assert.equal(mustFailFast({ count: 3 }, counts, 10), true);
  assert.equal(mustFailFast({ percent: 30 }, counts, 10), true);
  assert.equal(mustFailFast({ percent: 31 }, counts, 10), false);
});
