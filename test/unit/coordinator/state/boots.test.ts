import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobId, PoolName } from '../../../../shared/ids.ts';
import { POOL, Rig } from './rig.ts';

test('hello is said with each heartbeat: a boot that a rebuilt state has never met takes work again, and the same hello changes nothing', () => {
  using rig = new Rig();
  const a = rig.agent('a');
  a.holds();
  assert.equal(rig.state.load(POOL, 0).slots, 0, 'what it has is not known');
  assert.equal(a.hello().dispatchable, true);
  assert.equal(rig.state.load(POOL, 0).slots, 2);
  assert.equal(a.hello().dispatchable, false);
});

test('agents of two pools may have one name', () => {
  const other = 'other' as PoolName;
  using rig = new Rig();
  rig.agent('a').hello();
  assert.equal(rig.state.load(POOL, 0).slots, 2);
  rig.agent('a', 'a-boot-2', other).hello();
  assert.equal(rig.state.load(other, 0).slots, 2);
  assert.equal(rig.state.load(POOL, 0).slots, 2, 'it is not replaced');

  const listed = (): string[][] => rig.state.agents().map(({ pool, state }) => [pool, state]);
  const name = rig.agent('a').agent;
  assert.deepEqual(rig.state.requestDrain(name, 'nowhere'), []);
  assert.deepEqual(rig.state.requestDrain(name, POOL), [POOL]);
  assert.deepEqual(
    listed().sort(),
    [
      [other, 'live'],
      [POOL, 'draining'],
    ].sort(),
  );
  assert.deepEqual(rig.state.requestDrain(name), [other, POOL].sort());
  rig.agent('a').say({ type: 'goodbye' });
  assert.deepEqual(
    listed(),
    [
      [other, 'draining'],
      [POOL, 'gone'],
    ],
    'one hides no other',
  );
});

test('the stale run of a lost attempt is recorded as superseded, also when it was told to stop; that of a cancelled one was meant to', () => {
  using rig = new Rig();
  const superseded = (job: JobId): number =>
    rig.state.events(job, 0, 100).filter(({ type }) => type === 'superseded').length;
  const [job, cancelled] = [rig.count(1), rig.count(1)];
  const [unit, other] = [rig.unit(job), rig.unit(cancelled)];
  const a = rig.agent('a');
  a.holds(unit, other);
  rig.state.cancel(cancelled, null, 'test', rig.now);
  rig.now += 2_000;
  rig.silence();
  rig.rescue();
  const stopped = { result: 'cancelled', reason: 'cancelled' } as const;
  a.reports(a.outcome(unit, 0, stopped), a.outcome(other, 0, stopped));
  assert.deepEqual(rig.attempts(job), ['1.1 lost']);
  assert.deepEqual([superseded(job), superseded(cancelled)], [1, 0]);
});
