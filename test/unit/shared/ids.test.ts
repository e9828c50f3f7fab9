import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  attemptId,
  epochOfUnit,
  newBootId,
  newJobId,
  newRunId,
  newUnitId,
  parseAttemptId,
  parseTaskId,
  taskId,
} from '../../../shared/ids.ts';

it('makes ids that never repeat', () => {
  const attempt = attemptId(1, 1);
  for (const make of [() => newJobId(), () => newBootId(), () => newUnitId(1), () => newRunId(attempt)]) {
    assert.equal(new Set(Array.from({ length: 1_000 }, () => make())).size, 1_000);
  }
});

it('names a run after its attempt', () => {
  assert.match(newRunId(attemptId(2, 3)), /^2\.3-[0-9a-f]{10}$/);
});

it('reads the epoch of a unit back', () => {
  assert.equal(epochOfUnit(newUnitId(0)), 0);
  assert.equal(epochOfUnit(newUnitId(17)), 17);
});

it('reads task ids back', () => {
  const job = newJobId();
  assert.deepEqual(parseTaskId(taskId(job, 0)), { job, index: 0 });
  assert.deepEqual(parseTaskId(taskId(job, 999_999)), { job, index: 999_999 });
});

it('refuses what is no task id', () => {
  for (const text of [
    '',
    'job',
    'job/',
    '/1',
    'job/x',
    'job/-1',
    'job/1.5',
    'job/1/2',
    'job/12345678901',
    'job/1\n',
  ]) {
    assert.equal(parseTaskId(text), undefined, JSON.stringify(text));
  }
});

it('reads attempt ids back', () => {
  assert.deepEqual(parseAttemptId(attemptId(3, 12)), { epoch: 3, n: 12 });
});

it('refuses what is no attempt id', () => {
  for (const text of [
    '',
    '1',
    '1.',
    '.1',
    '1.2.3',
    '1.x',
    '-1.2',
    '1.2-abc',
    ' 1.2',
    '1234567890.1',
    '1.2\n',
  ]) {
    assert.equal(parseAttemptId(text), undefined, JSON.stringify(text));
  }
});
