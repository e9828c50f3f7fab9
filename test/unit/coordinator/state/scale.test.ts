import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rig } from './rig.ts';

/** The best of three: a bound on our own work, not on what else the machine does. */
function bestMs<T>(prepare: () => T, work: (prepared: T) => void): number {
  const times = [0, 1, 2].map(() => {
    const prepared = prepare();
    const start = performance.now();
    work(prepared);
    return performance.now() - start;
  });
  return Math.min(...times);
}

test('a million tasks are submitted, shown and cancelled at the cost of one', () => {
  using rig = new Rig();
  const million = () => rig.count(1_000_000);
  assert.ok(bestMs(() => undefined, million) < 50, 'submit');
  assert.ok(bestMs(million, (job) => rig.state.job(job)) < 5, 'view');
  assert.ok(
    bestMs(million, (job) => rig.state.tasks(job, { after: 500_000, limit: 100 })) < 20,
    'a page of tasks',
  );
  assert.ok(bestMs(million, (job) => rig.state.cancel(job, null, 'asked', rig.now)) < 50, 'cancel');
  assert.ok(
    bestMs(
      () => (rig.export(), million()),
      (job) => (rig.state.cancel(job, null, 'asked', rig.now), rig.export()),
    ) < 50,
    'export',
  );
});

test('an outcome costs well under a millisecond', () => {
  using rig = new Rig();
  const TASKS = 2_000;
  const a = rig.agent('a');
  const events = () =>
    rig
      .units(rig.count(TASKS), [1_000, 1_000])
      .map((unit) => a.outcomeEvent(...unit.tasks.map((_, at) => a.outcome(unit, at))));
  const ms = bestMs(events, (ready) => {
    a.say(...ready);
    rig.export();
  });
  assert.ok(ms / TASKS < 0.3, `${((ms / TASKS) * 1_000).toFixed(0)} µs a task`);
});
