import assert from 'node:assert/strict';
import { test } from 'node:test';
import { POOL, retryOf, Rig } from './rig.ts';

/** The counterexamples that the model checker found in earlier rules, second part; and who wins a race. */

test('H9: a unit not marked sent is sent again after a crash, but one that must not start twice is marked first', () => {
  using rig = new Rig();
  const [safe] = rig.units(rig.count(1, { retry: retryOf(0, 3) }), [1], { send: false });
  const [once] = rig.units(rig.count(1, { retry: retryOf(0, 0) }), [1], { send: false });
  assert.equal(safe!.markFirst, false);
  assert.equal(once!.markFirst, true);
  rig.crash();
  assert.deepEqual(rig.state.unsentUnits(POOL, 10), [safe, once]);
  rig.state.markSent([once!.unit], rig.now);
  rig.crash();
  assert.deepEqual(rig.state.unsentUnits(POOL, 10), [safe]);
});

test('H10: patience costs a loss like any other void', () => {
  using rig = new Rig();
  const job = rig.count(1, { retry: retryOf(0, 0) });
  const unit = rig.unit(job);
  rig.now += 10_000;
  assert.deepEqual(rig.rescue(), [], 'patience is off');
  assert.deepEqual(rig.rescue(rig.now - 5_000), [{ unit: unit.unit, why: 'unclaimed' }]);
  assert.equal(rig.shown(job), 'lost');
});

test('H11, H12: a dark pool’s units are voided, sent or not, for tasks with a loss left; the others wait', () => {
  using rig = new Rig();
  const many = rig.count(1, { retry: retryOf(0, 1) });
  const once = rig.count(1, { retry: retryOf(0, 0) });
  const units = [...rig.units(many, [1], { send: false }), ...rig.units(once, [1], { send: false })];
  rig.state.voidUnits(
    units.map(({ unit }) => ({ unit, why: 'dark' })),
    rig.now,
  );
  assert.equal(rig.task(many).state, 'ready');
  assert.equal(rig.task(once).state, 'dispatched');
  rig.agent('a').succeeds(units[0]!);
  assert.equal(rig.shown(many), 'succeeded', 'a late success from the dark pool counts');
});

/** What a store would hold of a job: its verdicts and the outcomes of its segments. */
function rebuiltFrom(old: Rig, job: ReturnType<Rig['count']>, outcomes: Parameters<Rig['commit']>[0]): Rig {
  const rig = new Rig(2);
  rig.state.restoreJob({
    id: job,
    spec: old.state.spec(job)!,
    specSha256: 'x',
    itemSet: null,
    submittedAt: old.now,
  });
  rig.state.restoreVerdicts(old.exported);
  rig.state.restoreOutcomes(outcomes, 'local', rig.now);
  rig.state.finishRebuild(rig.now);
  return rig;
}

test('H13: after a rebuild an old failure is not charged to the new attempt', () => {
  using old = new Rig();
  const job = old.count(1, { retry: retryOf(0, 3) });
  const failure = old.agent('a').outcome(old.unit(job), 0, { result: 'failed' });
  using rig = rebuiltFrom(old, job, []);
  rig.unit(job);
  assert.equal(rig.commit([failure]).failures, 0);
  assert.equal(rig.task(job).state, 'dispatched');
});

test('H13: attempts never get a number that was given before', () => {
  using old = new Rig();
  const job = old.count(1);
  const failure = old.agent('a').outcome(old.unit(job), 0, { result: 'failed' });
  using rig = rebuiltFrom(old, job, [failure]);
  assert.equal(rig.unit(job).tasks[0]?.attempt, 2);
});

test('H14: verdicts outlive the state: what was shown as failed or cancelled stays so', () => {
  using old = new Rig();
  const job = old.count(2);
  const unit = old.unit(job, 2);
  const a = old.agent('a');
  const failure = a.outcome(unit, 0, { result: 'failed' });
  a.reports(failure);
  old.state.cancel(job, [1], 'asked', old.now);
  old.export();
  const late = [failure, a.outcome(unit, 0), a.outcome(unit, 1)];
  using rig = rebuiltFrom(old, job, late);
  assert.deepEqual([rig.task(job, 0).state, rig.task(job, 1).state], ['failed', 'cancelled']);
  assert.equal(rig.task(job, 0).run, failure.run);
  assert.deepEqual(rig.attempts(job, 0), ['1.1 failed']);
  assert.notEqual(rig.state.job(job)?.endedAt, null);
});

test('H15: of two successes the one that the verdict names stays visible', () => {
  using old = new Rig();
  const job = old.count(1);
  const unit = old.unit(job);
  const other = old.agent('b').outcome(unit);
  const visible = old.agent('a').outcome(unit);
  old.commit([visible]);
  old.export();
  using rig = rebuiltFrom(old, job, [other, visible]);
  assert.equal(rig.task(job).run, visible.run);
  assert.equal(rig.state.outcome(job, 0, visible.run)?.agent, 'a');
});

test('H16: after a rebuild what must not start twice is lost, and the rest is dispatched again', () => {
  using old = new Rig();
  const once = old.count(3, { retry: retryOf(0, 0) });
  const often = old.count(3);
  const done = old.agent('a').outcome(old.unit(once));
  using rig = new Rig(2);
  for (const job of [once, often])
    rig.state.restoreJob({
      id: job,
      spec: old.state.spec(job)!,
      specSha256: 'x',
      itemSet: null,
      submittedAt: 1,
    });
  rig.state.restoreOutcomes([done], 'local', rig.now);
  assert.deepEqual(rig.state.finishRebuild(rig.now), { open: 3, lost: 2 });
  rig.export();
  assert.deepEqual(
    [0, 1, 2].map((index) => rig.task(once, index).state),
    ['succeeded', 'lost', 'lost'],
  );
  assert.deepEqual(
    rig.state.candidates(10).map(({ job }) => job),
    [often],
  );
});

test('a boot wrongly taken for dead is live again once it is heard, and its next heartbeat claims', () => {
  using rig = new Rig();
  const job = rig.count(2);
  const [one, two] = rig.units(job, [1, 1]);
  const a = rig.agent('a');
  a.hello();
  a.holds(one!);
  rig.now += 5_000;
  rig.silence();
  rig.rescue();
  assert.equal(rig.state.load(POOL, 0).liveAgents, 0);
  a.holds(one!, two!);
  assert.equal(rig.state.load(POOL, 0).liveAgents, 1);
  assert.deepEqual(rig.rescue(), []);
  a.succeeds(one!);
  assert.equal(rig.shown(job, 0), 'succeeded', 'the success of the lost attempt counts');
  assert.deepEqual(rig.attempts(job, 0), ['1.1 lost']);
});

test('commit and cancel: whichever comes first wins, and the other is superseded', () => {
  using rig = new Rig();
  const job = rig.count(2);
  const unit = rig.unit(job, 2);
  const a = rig.agent('a');
  a.succeeds(unit, 0);
  assert.equal(rig.state.cancel(job, null, 'asked', rig.now), 1);
  assert.equal(a.succeeds(unit, 1).superseded, 1);
  assert.deepEqual([rig.shown(job, 0), rig.shown(job, 1)], ['succeeded', 'cancelled']);
});

test('a task shown as over is over before: not until its verdict is exported', () => {
  using rig = new Rig();
  const job = rig.count(1);
  rig.agent('a').succeeds(rig.unit(job));
  assert.equal(rig.task(job).state, 'running');
  assert.equal(rig.state.job(job)?.state, 'running');
  assert.equal(rig.state.job(job)?.endedAt, null);
  rig.export();
  assert.equal(rig.task(job).state, 'succeeded');
  assert.equal(rig.state.job(job)?.state, 'succeeded');
  assert.notEqual(rig.state.job(job)?.endedAt, null);
});
