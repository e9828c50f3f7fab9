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
  assert.deepEqual(
    [0, 1, 2].map((index) => rig.task(job, index).losses),
    [1, 0, 0],
  );
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
  assert.deepEqual(
    rig.rescue().map(({ unit }) => unit),
    [two!.unit],
  );
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
  const [candidate] = ((rig.now += 5_000), b.holds(), rig.silence(), rig.state.voidCandidates(POOL, null));
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
  assert.deepEqual(
    rig.rescue().map(({ unit }) => unit),
    [first.unit],
  );
  assert.deepEqual([rig.task(job, 0).state, rig.task(job, 0).losses], ['dispatched', 0]);
  assert.deepEqual([rig.task(job, 1).state, rig.task(job, 1).losses], ['ready', 1]);
});
