import assert from 'node:assert/strict';
import { test } from 'node:test';
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
