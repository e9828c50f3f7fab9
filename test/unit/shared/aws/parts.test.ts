import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCode } from '../../../../shared/errors.ts';
import { credentialsProvider } from '../../../../shared/providers/aws/credentials.ts';
import { partBytesFor, partCountOf, sizeOfPart } from '../../../../shared/providers/aws/parts.ts';
import { batchesOf, MAX_BYTES, refusalOf } from '../../../../shared/providers/aws/queue-batches.ts';
import { deadQueueOf } from '../../../../shared/providers/aws/queue-settings.ts';
import { openQueue } from '../../../../shared/providers/open.ts';

const MIB = 1024 * 1024;

test('an object of any size is at most 10,000 parts of at least 5 MiB, which make it up', () => {
  for (const size of [
    0,
    1,
    8 * MIB,
    8 * MIB + 1,
    80_000 * MIB,
    80_000 * MIB + 1,
    6 * 1024 * MIB,
    5 * MIB * MIB,
  ]) {
    const count = partCountOf(size);
    assert.ok(count >= 1 && count <= 10_000 && partBytesFor(size) >= 5 * MIB, `${size}: ${count}`);
    const sum = (count - 1) * sizeOfPart(1, size) + sizeOfPart(count, size);
    assert.equal(sum, size);
  }
  assert.throws(
    () => partBytesFor(5 * MIB * MIB + 1),
    (error) => isCode(error, 'LIMIT_EXCEEDED'),
  );
});

test('batches hold ten messages and 1 MiB, to the byte', () => {
  const indices = (bodies: string[]): number[][] => batchesOf(bodies, [...bodies.keys()]);
  assert.deepEqual(
    indices(Array.from({ length: 21 }, () => 'x')).map((batch) => batch.length),
    [10, 10, 1],
  );
  const half = 'é'.repeat(MAX_BYTES / 4);
  assert.deepEqual(indices([half, half, 'x']), [[0, 1], [2]]);
  assert.deepEqual(indices([half, `${half}x`, 'x']), [[0], [1, 2]]);
  assert.deepEqual(indices([]), []);
});

test('what SQS cannot hold is refused by itself', () => {
  for (const body of ['', 'nul\0', 'bell\u0007', 'half \ud800 a pair', '\uffff', 'x'.repeat(MAX_BYTES + 1)])
    assert.ok(refusalOf(body)?.ok === false, JSON.stringify(body.slice(0, 20)));
  for (const body of ['x', '\t\r\n', 'ü 漢字 😀', 'x'.repeat(MAX_BYTES)])
    assert.equal(refusalOf(body), undefined);
});

test('queues of units and events have one for dead letters, others have none', () => {
  assert.equal(deadQueueOf('clobi-aws-units'), 'clobi-aws-dead');
  assert.equal(deadQueueOf('clobi-aws-events'), 'clobi-aws-dead');
  assert.equal(deadQueueOf('clobi-aws-dead'), undefined);
});

test('where credentials come from is chosen by name; what is unknown is refused with what is known', async () => {
  assert.equal(credentialsProvider('default'), undefined);
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'id',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_SESSION_TOKEN: 'token',
  });
  const identity = await credentialsProvider('env')?.();
  assert.deepEqual(
    [identity?.accessKeyId, identity?.secretAccessKey, identity?.sessionToken],
    ['id', 'secret', 'token'],
  );
  for (const name of ['', 'profile:', 'managed', 'ENV'])
    assert.throws(() => credentialsProvider(name), /Known: default, env, profile:NAME, container, instance/);
  await assert.rejects(openQueue('sqs://evil.example:80/q'), (error) => isCode(error, 'INVALID_CONFIG'));
});
