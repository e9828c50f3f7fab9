import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { POOL, retryOf, Rig } from './rig.ts';

describe('cancel', () => {
  test('ends everything open, tells agents of what they may hold, and is final', () => {
    using rig = new Rig();
    const job = rig.count(10, { retry: retryOf(3, 3) });
    const [one, two] = rig.units(job, [2, 2]);
    const a = rig.agent('a');
    a.started(one!);
    a.fails(one!, 0);
    assert.equal(rig.state.cancel(job, null, 'asked', rig.now), 10);
    assert.deepEqual(
      rig.state.revokes(POOL, rig.now).map(({ unit, tasks }) => [unit, tasks]),
      [
        [one!.unit, null],
        [two!.unit, null],
      ],
    );
    assert.equal(rig.state.cancel(job, null, 'asked', rig.now), 0);
    assert.equal(rig.shown(job, 9), 'cancelled');
    assert.deepEqual([rig.state.job(job)?.state, rig.state.job(job)?.cancelReason], ['cancelled', 'asked']);
    assert.deepEqual(rig.state.revokes(POOL, rig.now + 2e9), [], 'until notAfter');
  });

  test('of some tasks: the unit goes on with the others', () => {
    using rig = new Rig();
    const job = rig.count(3);
    const unit = rig.unit(job, 3);
    rig.state.cancel(job, [1], 'asked', rig.now);
    assert.deepEqual(
      rig.state.revokes(POOL, rig.now).map(({ tasks }) => tasks),
      [[1]],
    );
    const a = rig.agent('a');
    a.reports(
      a.outcome(unit, 1, { result: 'cancelled', reason: 'cancelled' }),
      a.outcome(unit, 0),
      a.outcome(unit, 2),
    );
    assert.deepEqual(
      [0, 1, 2].map((index) => rig.shown(job, index)),
      ['succeeded', 'cancelled', 'succeeded'],
    );
    assert.deepEqual(
      rig.state.events(job, 0, 100).map(({ type }) => type),
      ['submitted', 'dispatched', 'cancelled', 'finished'],
    );
  });

  test('a job that is over keeps no reason for a cancellation that changes nothing', () => {
    using rig = new Rig();
    const a = rig.agent('a');
    const job = rig.count(1);
    const unit = rig.unit(job);
    a.holds(unit);
    a.reports(a.outcome(unit, 0));
    rig.export();
    assert.equal(rig.state.cancel(job, null, 'asked', rig.now), 0);
    assert.deepEqual([rig.state.job(job)?.state, rig.state.job(job)?.cancelReason], ['succeeded', null]);
  });

  test('failFast cancels the rest in the same transaction', () => {
    using rig = new Rig();
    const job = rig.count(100, { failFast: { count: 2 } });
    const unit = rig.unit(job, 3);
    const a = rig.agent('a');
    a.reports(
      a.outcome(unit, 0, { result: 'failed' }),
      a.outcome(unit, 1, { result: 'failed' }),
      a.outcome(unit, 2),
    );
    rig.export();
    const { counts, cancelReason } = rig.state.job(job)!;
    assert.deepEqual(
      [counts.failed, counts.cancelled, counts.succeeded, cancelReason],
      [2, 98, 0, 'failFast'],
    );
    assert.equal(rig.state.retryable(job).length, 100);
  });

  test('timeout.queue cancels what has not started by then', () => {
    using rig = new Rig();
    const job = rig.count(4, { timeout: { queueMs: 100 }, retry: retryOf(2, 2) });
    const unit = rig.unit(job, 3);
    const a = rig.agent('a');
    a.say({
      type: 'started',
      unit: unit.unit,
      tasks: [{ index: 0, attempt: a.outcome(unit).attempt, run: a.outcome(unit).run, at: rig.now }],
    });
    a.fails(unit, 1);
    assert.equal(rig.state.cancelOverdue(rig.now + 99), 0);
    assert.equal(rig.state.cancelOverdue(rig.now + 100), 2);
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => rig.shown(job, index)),
      ['running', 'backoff', 'cancelled', 'cancelled'],
    );
    assert.equal(rig.state.cancelOverdue(rig.now + 200), 0);
  });

  test('a task cancelled in its backoff stays so when the backoff is over', () => {
    using rig = new Rig();
    const job = rig.count(1, { retry: retryOf(1, 1) });
    rig.agent('a').fails(rig.unit(job));
    rig.state.cancel(job, null, 'asked', rig.now);
    assert.deepEqual(rig.state.endBackoffs(rig.now + 10_000), { ended: 0, nextAt: null });
    assert.equal(rig.shown(job), 'cancelled');
  });

  test('a run that its agent stopped by itself is a loss, not a failure', () => {
    using rig = new Rig();
    const job = rig.count(1, { retry: retryOf(0, 1) });
    const a = rig.agent('a');
    a.reports(a.outcome(rig.unit(job), 0, { result: 'cancelled', reason: 'cancelled' }));
    assert.deepEqual([rig.task(job).state, rig.task(job).losses, rig.task(job).failures], ['ready', 1, 0]);
  });
});
