import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JobId, UnitId } from '../../../../shared/ids.ts';
import { type Hand, POOL, retryOf, Rig } from './rig.ts';

const events = (rig: Rig, job: JobId): string[] =>
  rig.state
    .events(job, 0, 100)
    .map(({ type, text }) => `${type}: ${text.replaceAll(/1-[0-9A-Z]{26}/g, 'U')}`);

const received = (unit: { unit: UnitId }, receiveCount = 1) => ({ unit: unit.unit, receiveCount });

/** What R6 counts, and where the task stands. */
function stand(rig: Rig, job: JobId, index = 0): string {
  const { state, losses, attempts = [] } = rig.task(job, index);
  return `${state}, ${losses} lost: ${attempts.map(({ attempt, result }) => `${attempt} ${result}`).join(', ')}`;
}

function busyPool(rig: Rig, count = 2): { job: JobId; units: ReturnType<Rig['units']>; hand: Hand } {
  const job = rig.count(count, { retry: retryOf(0, 0) });
  return { job, units: rig.units(job, new Array<number>(count).fill(1)), hand: rig.agent('a') };
}

describe('orders for pools', () => {
  test('last, survive a crash, and an open pool has none', () => {
    using rig = new Rig();
    assert.deepEqual(rig.state.poolMode('p'), { mode: 'open', since: null });
    rig.state.setPoolMode('p', 'paused', 5);
    rig.state.setPoolMode('p', 'paused', 6);
    rig.crash();
    assert.deepEqual(rig.state.poolMode('p'), { mode: 'paused', since: 5 });
    rig.state.setPoolMode('p', 'draining', 7);
    assert.deepEqual(rig.state.poolMode('p'), { mode: 'draining', since: 7 });
    rig.state.setPoolMode('p', 'open', 8);
    assert.equal(rig.state.poolMode('p').mode, 'open');
  });

  test('evacuating asks back what is not known to have begun, of every job, once', () => {
    using rig = new Rig();
    const { job, units, hand } = busyPool(rig, 3);
    const other = rig.count(2);
    rig.units(other, [2], { send: false });
    rig.units(rig.count(1), [1], { pool: 'elsewhere' });
    hand.hello();
    hand.started(units[0]!);
    assert.deepEqual(rig.state.setPoolMode(POOL, 'evacuated', rig.now), { units: 3, tasks: 4 });
    assert.deepEqual(rig.state.setPoolMode(POOL, 'evacuated', rig.now), { units: 0, tasks: 0 });
    rig.crash();
    assert.equal(rig.state.recalls(POOL).length, 3);
    assert.equal(rig.state.recalls('elsewhere').length, 0);
    assert.equal(rig.state.waitingRecalls(POOL), 2, 'the third was never sent');
    assert.match(
      events(rig, job).join('\n'),
      /recalled: pool local is evacuated: 2 units with 2 tasks not known to have begun asked back/,
    );
  });
});

describe('a message that the coordinator received itself', () => {
  test('at count 1 it is nobody’s loss, also where no loss is allowed, and the unit is void and revoked', () => {
    using rig = new Rig();
    const { job, units } = busyPool(rig, 1);
    rig.agent('a').hello();
    const { back, applied } = rig.state.takeBack([received(units[0]!)], rig.now);
    assert.deepEqual([back.length, applied.losses, applied.dispatchable], [1, 0, true]);
    assert.equal(stand(rig, job), 'ready, 0 lost: 1.1 returned');
    assert.deepEqual(
      rig.state.revokes(POOL, rig.now).map(({ unit }) => unit),
      [units[0]!.unit],
    );
    assert.match(events(rig, job).join('\n'), /returned: unit U with 1 task came back from pool local/);
    // The message came back, since the coordinator died before it deleted it.
    assert.deepEqual(rig.state.takeBack([received(units[0]!, 2)], rig.now).back, []);
    assert.equal(stand(rig, job), 'ready, 0 lost: 1.1 returned');
  });

  test('at a higher count somebody may have begun it: a loss, once nobody claims it', () => {
    using rig = new Rig();
    const { job, units, hand } = busyPool(rig, 1);
    hand.hello();
    assert.deepEqual(rig.state.takeBack([received(units[0]!, 2)], rig.now).back, []);
    assert.equal(stand(rig, job), 'dispatched, 0 lost: 1.1 open');
    rig.rescue();
    assert.equal(rig.shown(job), 'lost');
  });

  test('at a higher count in a pool where no agent was since the unit was made, we received it before', () => {
    using rig = new Rig();
    rig.agent('early').hello();
    rig.now += 10_000;
    rig.silence();
    const { job, units } = busyPool(rig, 1);
    assert.equal(rig.state.takeBack([received(units[0]!, 2)], rig.now).back.length, 1);
    assert.equal(stand(rig, job), 'ready, 0 lost: 1.1 returned');
  });

  test('an agent that was there for a moment may have begun it', () => {
    using rig = new Rig();
    const { job, units, hand } = busyPool(rig, 1);
    hand.hello();
    rig.now += 10_000;
    rig.silence();
    assert.equal(rig.state.takeBack([received(units[0]!, 2)], rig.now).back.length, 0);
    rig.rescue();
    assert.equal(rig.shown(job), 'lost');
  });

  test('a copy of what an agent runs ends nothing', () => {
    using rig = new Rig();
    const { job, units, hand } = busyPool(rig, 1);
    hand.hello();
    hand.started(units[0]!);
    assert.deepEqual(rig.state.takeBack([received(units[0]!)], rig.now).back, []);
    rig.rescue();
    assert.equal(rig.task(job).state, 'running');
    hand.succeeds(units[0]!);
    assert.equal(rig.shown(job), 'succeeded');
  });

  test('a unit of a former life is over; one that was never written is told apart', () => {
    using rig = new Rig(3);
    const unknown = (id: string) => rig.state.takeBack([{ unit: id as UnitId, receiveCount: 1 }], 1).unknown;
    assert.deepEqual(unknown('2-01M85JHRSFAZFW5ZZYZ8HCT926'), []);
    assert.equal(unknown('3-01M85JHRSFAZFW5ZZYZ8HCT926').length, 1);
  });

  test('that it took a later unit says nothing of the earlier ones: patience does not run by it', () => {
    using rig = new Rig();
    const { units } = busyPool(rig, 2);
    rig.state.takeBack([received(units[1]!)], rig.now);
    assert.equal(rig.state.laterUnitHeard(POOL, 0), false);
  });
});

test('what was never sent comes back without a message, and without a revoke to wait for', () => {
  using rig = new Rig();
  const job = rig.count(1);
  const [unit] = rig.units(job, [1], { send: false });
  rig.state.takeBackUnsent([unit!.unit], rig.now);
  assert.equal(stand(rig, job), 'ready, 0 lost: 1.1 returned');
  assert.deepEqual(rig.state.unsentUnits(POOL, 10), []);
});

test('what an agent hands back because it was asked to is nobody’s loss; what it runs goes on', () => {
  using rig = new Rig();
  const job = rig.count(3, { retry: retryOf(0, 0) });
  const unit = rig.unit(job, 3);
  const hand = rig.agent('a');
  hand.hello();
  hand.holds(unit);
  rig.state.setPoolMode(POOL, 'evacuated', rig.now);
  hand.succeeds(unit, 0);
  hand.say({ type: 'returned', unit: unit.unit, receiveCount: 1, why: 'recalled', notBegun: [1, 2] });
  hand.holds();
  rig.rescue();
  assert.deepEqual(
    [0, 1, 2].map((index) => stand(rig, job, index)),
    ['running, 0 lost: 1.1 succeeded', 'ready, 0 lost: 1.1 returned', 'ready, 0 lost: 1.1 returned'],
  );
});

describe('moving a job', () => {
  test('is kept, shown, written into its history, and asks back what waits elsewhere', () => {
    using rig = new Rig();
    const job = rig.count(4);
    rig.units(job, [1, 1]);
    rig.units(job, [1], { pool: 'target' });
    assert.deepEqual(rig.state.moveJob(job, { to: 'target', pending: false }, rig.now), {
      units: 2,
      tasks: 2,
    });
    assert.deepEqual(rig.state.moveJob(job, { to: 'target', pending: false }, rig.now), {
      units: 0,
      tasks: 0,
    });
    rig.crash();
    assert.equal(rig.state.job(job)?.movedTo, 'target');
    assert.equal(rig.state.candidates(1)[0]?.movedTo, 'target');
    assert.equal(rig.state.recalls(POOL).length, 2);
    assert.deepEqual(
      events(rig, job).filter((text) => text.startsWith('moved')),
      [
        'moved: what is not dispatched yet goes to pool target and no other; 2 units with 2 tasks not known to have begun asked back',
      ],
    );
    rig.state.moveJob(job, { to: null, pending: false }, rig.now);
    assert.equal(rig.state.job(job)?.movedTo, null);
  });

  test('pending leaves alone what waits in a queue', () => {
    using rig = new Rig();
    const job = rig.count(2);
    rig.units(job, [1]);
    assert.deepEqual(rig.state.moveJob(job, { to: 'target', pending: true }, rig.now), {
      units: 0,
      tasks: 0,
    });
    assert.deepEqual(rig.state.recalls(POOL), []);
  });
});
