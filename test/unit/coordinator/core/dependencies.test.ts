import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allOf, byJob, byTask } from '../../../../coordinator/core/dependencies.ts';
import { endsOwnClaim, isFreeReturn, voidReason } from '../../../../coordinator/core/void.ts';
import { noTasks } from '../../../../shared/task-state.ts';

test('by job: open until it is over, then it holds or never will', () => {
  assert.equal(byJob('success', { ...noTasks(), succeeded: 1, running: 1 }, 2), 'open');
  assert.equal(byJob('success', { ...noTasks(), succeeded: 2 }, 2), 'holds');
  assert.equal(byJob('success', { ...noTasks(), succeeded: 1, cancelled: 1 }, 2), 'broken');
  assert.equal(byJob('end', { ...noTasks(), lost: 1, failed: 1 }, 2), 'holds');
});

test('by tasks: the state of the same index', () => {
  assert.deepEqual(
    (['running', 'succeeded', 'failed'] as const).map((state) => byTask('success', state)),
    ['open', 'holds', 'broken'],
  );
  assert.equal(byTask('end', 'lost'), 'holds');
});

test('one broken dependency is enough, one open keeps it waiting', () => {
  assert.equal(allOf([]), 'holds');
  assert.equal(allOf(['holds', 'open']), 'open');
  assert.equal(allOf(['open', 'broken']), 'broken');
});

const UNIT = { void: false, open: 1, heard: true, claims: 0, returned: false, sent: true };

test('R7: when a unit may be voided', () => {
  assert.equal(voidReason(UNIT), 'silent');
  assert.equal(voidReason({ ...UNIT, returned: true }), 'returned');
  assert.equal(voidReason({ ...UNIT, claims: 1, returned: true }), undefined);
  assert.equal(voidReason({ ...UNIT, heard: false }), 'unclaimed');
  assert.equal(voidReason({ ...UNIT, heard: false, sent: false }), undefined);
  assert.equal(voidReason({ ...UNIT, open: 0 }), undefined);
  assert.equal(voidReason({ ...UNIT, void: true }), undefined);
});

test('R3: a hand-back is free only of what nobody can have begun', () => {
  const handBack = { notBegun: new Set([1]), heldByOthers: false };
  assert.equal(isFreeReturn({ index: 1, running: false }, handBack), true);
  assert.equal(isFreeReturn({ index: 1, running: true }, handBack), false);
  assert.equal(isFreeReturn({ index: 2, running: false }, handBack), false);
  assert.equal(isFreeReturn({ index: 1, running: false }, { ...handBack, heldByOthers: true }), false);
  assert.equal(isFreeReturn({ index: 1, running: false }, undefined), false);
});

test('a hand-back ends its sender’s claim only when it cannot hold another copy', () => {
  assert.equal(endsOwnClaim({ why: 'draining', receiveCount: 1, notBegun: [0, 1] }, 2), true);
  assert.equal(endsOwnClaim({ why: 'draining', receiveCount: 2, notBegun: [0, 1] }, 2), false);
  assert.equal(endsOwnClaim({ why: 'recent', receiveCount: 1, notBegun: [0, 1] }, 2), false);
  assert.equal(endsOwnClaim({ why: 'draining', receiveCount: 1, notBegun: [1] }, 2), false);
});
