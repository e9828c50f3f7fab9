import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { CreateQueueCommand, DeleteQueueCommand, GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { ClobiError } from '../../shared/errors.ts';
import { isCode, messageOf } from '../../shared/errors.ts';
import { RequestCounts } from '../../shared/providers/meter.ts';
import { openManager, openQueue } from '../../shared/providers/open.ts';
import type { Queue } from '../../shared/providers/ports.ts';
import { startFauxqs } from '../../infra/emulators/fauxqs.ts';
import { LONG, NOW, numbered, receiveAll } from './queue-kit.ts';
import { queueConformance, type QueueFixture } from './queue-suite.ts';

const server = await startFauxqs();
Object.assign(process.env, server.env);
after(() => server[Symbol.asyncDispose]());

// fauxqs counts no receive for a poll that we do not abort, and never says that a receipt is stale.
queueConformance('SQS (fauxqs)', makeQueue, {
  otherProcesses: true,
  abortKeepsCount: true,
  staleDoneRejects: false,
  leaseMs: 1_000,
  wakeMs: 50,
  bmpOnly: true,
});

async function makeQueue(): Promise<QueueFixture> {
  const url = server.queueUrl(`clobi-${randomUUID()}-units`);
  const opened: Queue[] = [];
  const open = async (): Promise<Queue> => {
    const queue = await openQueue(url);
    opened.push(queue);
    return queue;
  };
  const dispose = async (): Promise<void> => {
    await Promise.all(opened.map((queue) => queue.close()));
  };
  return { url, open, dispose };
}

const KIB = 1024;
const sdk = new SQSClient({ endpoint: server.endpoint, region: 'us-east-1', useQueueUrlAsEndpoint: false });

/** A queue as somebody else has made it. */
async function queueOfOthers(attributes: Record<string, string>) {
  const name = `clobi-${randomUUID()}-units`;
  const { QueueUrl } = await sdk.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  const meter = new RequestCounts();
  return { name, QueueUrl, meter, queue: await openQueue(server.queueUrl(name), { meter }) };
}

const codes = (results: Awaited<ReturnType<Queue['send']>>): string[] =>
  results.map((result) => (result.ok ? 'ok' : (result.cause as ClobiError).code));

describe('SQS queue', { timeout: 400_000 }, () => {
  it('is missed with a hint until it is ensured, also after it was deleted', async () => {
    const { queue, url } = await fresh();
    await assert.rejects(queue.receive({ ...NOW, max: 1 }), (error) => {
      assert.ok(isCode(error, 'NOT_FOUND'));
      assert.match(messageOf(error), /clobi pool ensure/);
      return true;
    });
    assert.deepEqual(codes(await queue.send(['x'])), ['NOT_FOUND']);
    await queue.ensure();
    assert.deepEqual(codes(await queue.send(['x'])), ['ok']);
    const { QueueUrl } = await sdk.send(new GetQueueUrlCommand({ QueueName: nameOf(url) }));
    await sdk.send(new DeleteQueueCommand({ QueueUrl }));
    assert.deepEqual(codes(await queue.send(['x'])), ['NOT_FOUND']);
    await queue.ensure();
    assert.equal(await queue.depth(), 0);
  });

  it('that is ensured is as the manager wants it, its dead letters too', async () => {
    const { queue, url } = await fresh();
    const manager = await openManager(url);
    const missing = await manager!.inspect();
    assert.deepEqual(
      missing.map(({ thing, setting }) => `${thing.replace(/-.{36}-/, '-x-')} ${setting}`),
      ['queue clobi-x-units exists', 'queue clobi-x-dead exists'],
    );
    await Promise.all(Array.from({ length: 5 }, () => queue.ensure()));
    assert.deepEqual(await manager!.inspect(), []);
  });

  it('that is old and small is mended: size, retention, dead letters', async () => {
    const { queue, name } = await queueOfOthers({ MaximumMessageSize: String(256 * KIB), DelaySeconds: '5' });
    const manager = (await openManager(server.queueUrl(name)))!;
    const found = await manager.inspect();
    assert.deepEqual(
      found.filter(({ thing }) => thing.endsWith('-units')).map(({ setting, is }) => `${setting}: ${is}`),
      [
        'retention: 4 days',
        'message-size: 256 KiB',
        'delay: 5 s',
        'long-poll: 0 s',
        'dead-letters: kept for ever',
      ],
    );
    await queue.send(['kept']);
    await manager.mend(found);
    await manager.mend(found);
    assert.deepEqual(await manager.inspect(), []);
    assert.deepEqual(codes(await queue.send(['x'.repeat(KIB * KIB)])), ['ok']);
  });

  it('of 256 KiB refuses the larger of a batch alone', async () => {
    const { queue } = await queueOfOthers({ MaximumMessageSize: String(256 * KIB) });
    const results = await queue.send(['a', 'x'.repeat(256 * KIB), 'x'.repeat(256 * KIB + 1), 'b']);
    assert.deepEqual(
      results.map(({ ok }) => ok),
      [true, true, false, true],
    );
    assert.ok(results[2]?.ok === false && !results[2].retryable);
    assert.match(messageOf(results[2].cause), /262144/);
  });

  it('never gets what is no text for it, and all the rest', async () => {
    const { queue } = await queueOfOthers({});
    const results = await queue.send(['a', 'nul\0', 'half \ud800', '', 'b']);
    assert.deepEqual(codes(results), ['ok', 'LIMIT_EXCEEDED', 'LIMIT_EXCEEDED', 'LIMIT_EXCEEDED', 'ok']);
    assert.equal(await queue.depth(), 2);
  });

  it('takes and loses a hundred messages in ten requests each', async () => {
    const { queue, meter } = await queueOfOthers({});
    await queue.send(numbered(100));
    const deliveries = await receiveAll(queue, 100);
    await Promise.all(deliveries.map((delivery) => delivery.extend(60_000)));
    await Promise.all(deliveries.map((delivery) => delivery.done()));
    const { 'sqs:ReceiveMessage': receives = 0, ...rest } = meter.totals();
    assert.deepEqual(rest, {
      'sqs:GetQueueUrl': 1,
      'sqs:SendMessageBatch': 10,
      'sqs:ChangeMessageVisibilityBatch': 10,
      'sqs:DeleteMessageBatch': 10,
    });
    assert.ok(receives <= 20, `${receives} receives`);
    assert.equal(await queue.depth(), 0);
  });

  it('sends in batches of a mebibyte', async () => {
    const { queue, meter } = await queueOfOthers({});
    const bodies = Array.from({ length: 5 }, () => 'x'.repeat(400 * KIB));
    assert.deepEqual(codes(await queue.send(bodies)), ['ok', 'ok', 'ok', 'ok', 'ok']);
    assert.equal(meter.totals()['sqs:SendMessageBatch'], 3);
  });

  it('counts a receive that nobody got: the count proves nothing', async () => {
    const { queue, QueueUrl } = await queueOfOthers({});
    for (let count = 1, round = 0; count === 1; round += 1) {
      assert.ok(round < 50, 'no receive was swallowed');
      await swallow(QueueUrl ?? '');
      await queue.send([`message ${round}`]);
      const [delivery] = await queue.receive({ ...LONG, max: 1 });
      assert.equal(delivery?.body, `message ${round}`);
      count = delivery.receiveCount;
      await delivery.done();
    }
  });
});

async function fresh(): Promise<{ queue: Queue; url: string }> {
  const url = server.queueUrl(`clobi-${randomUUID()}-units`);
  return { url, queue: await openQueue(url) };
}

const nameOf = (url: string): string => new URL(url).pathname.slice(1);

/** A long poll whose client goes away in the middle of it. */
async function swallow(QueueUrl: string): Promise<void> {
  const abort = new AbortController();
  const asked = fetch(server.endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.ReceiveMessage' },
    body: JSON.stringify({ QueueUrl, WaitTimeSeconds: 2, VisibilityTimeout: 1 }),
    signal: abort.signal,
  });
  // Its answer to a later request says that it has read the poll.
  await fetch(`${server.endpoint}/health`);
  abort.abort();
  await assert.rejects(asked);
}
