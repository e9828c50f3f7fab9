import assert from 'node:assert/strict';
import { test } from 'node:test';
import { POOL, retryOf, Rig } from './rig.ts';

/** The counterexamples that the model checker found in earlier rules: each must come right. Patience is off throughout. */

test('H1: a `returned` that comes while the claim still stands is remembered', () => {
  using rig = new Rig();
  const job = rig.count(1);
  const unit = rig.unit(job);
  const a = rig.agent('a');
  a.holds(unit);
  a.returns(unit, { why: 'redelivered', receiveCount: 2 });
  assert.deepEqual(rig.rescue(), [], 'its sender may hold another copy');
  a.holds();
  assert.deepEqual(rig.rescue(), [{ unit: unit.unit, why: 'returned' }]);
  assert.equal(rig.task(job).state, 'ready');
  assert.equal(rig.task(job).losses, 1);
});

test('H1: handed back unbegun at count 1: no loss, and at once', () => {
  using rig = new Rig();
  const job = rig.count(3, { retry: retryOf(0, 0) });
  const unit = rig.unit(job, 3);
  const a = rig.agent('a');
  a.holds(unit);
  a.returns(unit);
  assert.deepEqual(rig.rescue(), [{ unit: unit.unit, why: 'returned' }]);
  assert.deepEqual(rig.attempts(job), ['1.1 returned']);
  assert.equal(rig.task(job).losses, 0);
  assert.equal(rig.task(job).state, 'ready');
});

test('H1: handed back in part: what had begun is lost, the rest is not', () => {
  using rig = new Rig();
  const job = rig.count(3);
  const unit = rig.unit(job, 3);
  const a = rig.agent('a');
  a.holds(unit);
  a.returns(unit, { notBegun: [1, 2] });
  a.holds();
  rig.rescue();
  assert.deepEqual([0, 1, 2].map((index) => rig.task(job, index).losses), [1, 0, 0]);
});

test('H2: a new boot of the same agent ends all claims of the old one', () => {
  using rig = new Rig();
  const job = rig.count(1);
  const unit = rig.unit(job);
  rig.agent('a', 'boot-1').holds(unit);
  const again = rig.agent('a', 'boot-2');
  again.hello();
  assert.deepEqual(rig.rescue(), [{ unit: unit.unit, why: 'silent' }]);
  assert.deepEqual(rig.attempts(job), ['1.1 lost']);
});

test('H2: the restarted agent gets the unit again, returns it at count 2, and it is dispatched anew', () => {
  using rig = new Rig();
  const job = rig.count(1);
  const unit = rig.unit(job);
  rig.agent('a', 'boot-1').holds(unit);
  const again = rig.agent('a', 'boot-2');
  again.returns(unit, { why: 'redelivered', receiveCount: 2 });
  rig.rescue();
  again.succeeds(rig.unit(job));
  assert.equal(rig.shown(job), 'succeeded');
});

test('H2: late batches of a replaced boot revive no claim, but their outcomes count', () => {
  using rig = new Rig();
  const job = rig.count(2);
  const [one, two] = rig.units(job, [1, 1]);
  const old = rig.agent('a', 'boot-1');
  old.holds(one!);
  rig.agent('a', 'boot-2').hello();
  old.holds(one!, two!);
  old.succeeds(one!);
  assert.deepEqual(rig.rescue().map(({ unit }) => unit), [two!.unit]);
  assert.equal(rig.shown(job, 0), 'succeeded');
});

test('H3: an older heartbeat that overtakes wipes no claim', () => {
  using rig = new Rig();
  const job = rig.count(1);
  const unit = rig.unit(job);
  const a = rig.agent('a');
  const empty = a.batch([a.heartbeatEvent()]);
  a.holds(unit);
  rig.state.apply([empty], rig.now);
  assert.deepEqual(rig.rescue(), []);
  // It crashes: its silence ends the claim that still stands.
  rig.now += 5_000;
  assert.deepEqual(rig.silence(), [a.boot]);
  assert.deepEqual(rig.rescue(), [{ unit: unit.unit, why: 'silent' }]);
});

test('H3: what was begun since is not wiped by a heartbeat from before', () => {
  using rig = new Rig();
  const unit = rig.unit(rig.count(1));
  const a = rig.agent('a');
  const before = a.batch([a.heartbeatEvent()]);
  a.started(unit);
  rig.state.apply([before], rig.now);
  assert.deepEqual(rig.rescue(), []);
  a.holds();
  assert.equal(rig.rescue().length, 1, 'but by a newer one');
});

test('H4: two agents hold copies of one unit: one claim each', () => {
  using rig = new Rig();
  const job = rig.count(1);
  const unit = rig.unit(job);
  const a = rig.agent('a');
  const b = rig.agent('b');
  a.holds(unit);
  b.holds(unit);
  b.returns(unit, { why: 'redelivered', receiveCount: 2 });
  b.holds();
  assert.deepEqual(rig.rescue(), [], 'a still has it');
  const [candidate] = (rig.now += 5_000, b.holds(), rig.silence(), rig.state.voidCandidates(POOL, null));
  assert.deepEqual(candidate?.claimants.map(({ agent }) => agent).sort(), ['a', 'b']);
  rig.rescue();
  assert.deepEqual(rig.attempts(job), ['1.1 lost']);
});

test('H5: an outcome event is lost: the unit is found by its missing claim and the segment is read before the void', () => {
  using rig = new Rig();
  const job = rig.count(1, { retry: retryOf(0, 0) });
  const unit = rig.unit(job);
  const a = rig.agent('a');
  a.holds(unit);
  const outcome = a.outcome(unit);
  a.holds();
  const [candidate] = rig.state.voidCandidates(POOL, null);
  assert.deepEqual(candidate?.claimants, [{ agent: a.agent, boot: a.boot }]);
  rig.commit([outcome]);
  rig.state.voidUnits([candidate], rig.now);
  assert.equal(rig.shown(job), 'succeeded');
  assert.equal(rig.task(job).losses, 0);
});

test('H6: a segment durable before the death verdict wins over `lost`', () => {
  using rig = new Rig();
  const job = rig.count(1, { retry: retryOf(0, 0) });
  const unit = rig.unit(job);
  const a = rig.agent('a');
  a.started(unit);
  rig.now += 5_000;
  rig.silence();
  const candidates = rig.state.voidCandidates(POOL, null);
  rig.commit([a.outcome(unit)]);
  assert.deepEqual(rig.state.voidUnits(candidates, rig.now).losses, 0);
  assert.equal(rig.shown(job), 'succeeded');
});

test('H6: a unit claimed again while segments were read is not voided', () => {
  using rig = new Rig();
  const job = rig.count(1);
  const unit = rig.unit(job);
  const a = rig.agent('a');
  a.holds(unit);
  a.holds();
  const candidates = rig.state.voidCandidates(POOL, null);
  a.holds(unit);
  rig.state.voidUnits(candidates, rig.now);
  assert.equal(rig.task(job).state, 'dispatched');
});

test('H7: the same failure delivered twice is counted once', () => {
  using rig = new Rig();
  const job = rig.count(1, { retry: retryOf(1, 0) });
  const unit = rig.unit(job);
  const a = rig.agent('a');
  const outcome = a.outcome(unit, 0, { result: 'failed' });
  assert.equal(a.reports(outcome).failures, 1);
  assert.equal(a.reports(outcome).failures, 0);
  assert.equal(rig.task(job).state, 'backoff');
  assert.equal(rig.task(job).failures, 1);
});

test('H7: the late failure of a voided attempt is not counted, before and after the next dispatch', () => {
  for (const dispatched of [false, true]) {
    using rig = new Rig();
    const job = rig.count(1, { retry: retryOf(0, 3) });
    const unit = rig.unit(job);
    const a = rig.agent('a');
    a.holds(unit);
    a.holds();
    rig.rescue();
    if (dispatched) rig.unit(job);
    assert.equal(a.fails(unit).failures, 0);
    assert.equal(rig.task(job).state, dispatched ? 'dispatched' : 'ready');
    assert.deepEqual([rig.task(job).failures, rig.task(job).losses], [0, 1]);
    assert.equal(rig.attempts(job)[0], '1.1 lost');
  }
});

test('H8: the void of an old unit touches only tasks whose newest attempt is in it', () => {
  using rig = new Rig();
  const job = rig.count(2, { retry: retryOf(3, 3) });
  const first = rig.unit(job, 2);
  const a = rig.agent('a');
  a.holds(first);
  a.fails(first, 0);
  rig.now += 10_000;
  rig.state.endBackoffs(rig.now);
  const second = rig.unit(job);
  rig.agent('b').holds(second);
  a.holds();
  assert.deepEqual(rig.rescue().map(({ unit }) => unit), [first.unit]);
  assert.deepEqual([rig.task(job, 0).state, rig.task(job, 0).losses], ['dispatched', 0]);
  assert.deepEqual([rig.task(job, 1).state, rig.task(job, 1).losses], ['ready', 1]);
});

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
  rig.state.voidUnits(units.map(({ unit }) => ({ unit, why: 'dark' })), rig.now);
  assert.equal(rig.task(many).state, 'ready');
  assert.equal(rig.task(once).state, 'dispatched');
  rig.agent('a').succeeds(units[0]!);
  assert.equal(rig.shown(many), 'succeeded', 'a late success from the dark pool counts');
});

/** What a store would hold of a job: its verdicts and the outcomes of its segments. */
function rebuiltFrom(old: Rig, job: ReturnType<Rig['count']>, outcomes: Parameters<Rig['commit']>[0]): Rig {
  const rig = new Rig(2);
  rig.state.restoreJob({ id: job, spec: old.state.spec(job)!, specSha256: 'x', items: null, submittedAt: old.now });
  rig.state.restoreVerdicts(old.exported);
  rig.state.restoreOutcomes(outcomes, rig.now);
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
  for (const job of [once, often]) rig.state.restoreJob({ id: job, spec: old.state.spec(job)!, specSha256: 'x', items: null, submittedAt: 1 });
  rig.state.restoreOutcomes([done], rig.now);
  assert.deepEqual(rig.state.finishRebuild(rig.now), { open: 3, lost: 2 });
  rig.export();
  assert.deepEqual([0, 1, 2].map((index) => rig.task(once, index).state), ['succeeded', 'lost', 'lost']);
  assert.deepEqual(rig.state.candidates(10).map(({ job }) => job), [often]);
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
