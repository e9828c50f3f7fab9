import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClobiError } from '../../../shared/errors.ts';
import { RequestCounts } from '../../../shared/providers/meter.ts';
import { openManager, openQueue, openStore } from '../../../shared/providers/open.ts';
import { passes, troubleOf } from '../../../shared/providers/trouble.ts';

test('requests are counted by operation', () => {
  const counts = new RequestCounts();
  for (const operation of ['s3:PutObject', 's3:PutObject', 'sqs:SendMessageBatch']) counts.count(operation);
  assert.deepEqual(counts.totals(), { 's3:PutObject': 2, 'sqs:SendMessageBatch': 1 });
});

test('troubles that pass are asked again; those of a person and of ours are not', () => {
  const of = (code: ConstructorParameters<typeof ClobiError>[0]) => troubleOf(new ClobiError(code, 'x'));
  assert.deepEqual(
    ['CLOUD_AUTH', 'CLOUD_QUOTA', 'THROTTLED', 'NOT_FOUND', 'UNAVAILABLE', 'INTERNAL'].map((code) =>
      of(code as 'INTERNAL'),
    ),
    ['auth', 'quota', 'throttled', 'not-found', 'unreachable', 'bug'],
  );
  assert.equal(troubleOf(new TypeError('x')), 'bug');
  assert.deepEqual((['throttled', 'unreachable', 'auth', 'bug'] as const).map(passes), [
    true,
    true,
    false,
    false,
  ]);
});

test('an unknown kind of URL is refused with the known ones', async () => {
  await assert.rejects(openQueue('s3://bucket'), /Known kinds: local-queue:PATH, sqs:/);
  await assert.rejects(openStore('sqs://region/queue'), /Known kinds: file:PATH, s3:/);
  assert.equal(await openManager('file:/nowhere'), undefined);
});
