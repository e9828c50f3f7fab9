import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { QueueClient, StorageSharedKeyCredential } from '@azure/storage-queue';
import { type ClobiError, isCode } from '../../shared/errors.ts';
import { RequestCounts } from '../../shared/providers/meter.ts';
import { openManager, openQueue } from '../../shared/providers/open.ts';
import type { Queue } from '../../shared/providers/ports.ts';
import { startAzurite } from '../../infra/emulators/azurite.ts';
import { type Fault, FaultProxy } from '../helpers/fault-proxy.ts';
import { LONG, NOW } from './queue-kit.ts';

const azurite = await startAzurite();
Object.assign(process.env, azurite.env);
after(() => azurite[Symbol.asyncDispose]());

interface Bench {
  queue: Queue;
  proxy: FaultProxy;
  counts: RequestCounts;
  /** The same queue, without our adapter. */
  raw: QueueClient;
}

/** A queue behind a proxy, and beside it the SDK alone. */
const withBench = (test: (bench: Bench) => Promise<void>) => async (): Promise<void> => {
  await using proxy = await FaultProxy.start(azurite.endpoints.queue);
  const name = `q-${randomUUID()}`;
  const counts = new RequestCounts();
  const queue = await openQueue(`azure-queue://${azurite.account}/${name}?endpoint=${proxy.url}`, {
    meter: counts,
  });
  await queue.ensure();
  const key = new StorageSharedKeyCredential(azurite.account, azurite.env['AZURE_STORAGE_KEY'] ?? '');
  try {
    await test({ queue, proxy, counts, raw: new QueueClient(`${azurite.endpoints.queue}/${name}`, key) });
  } finally {
    await queue.close();
  }
};

const LOST: Fault = { kind: 'lose-answer' };

describe('azure queue: messages', { timeout: 400_000 }, () => {
  it(
    'stores them in Base64, and for ever',
    withBench(async ({ queue, raw }) => {
      await queue.send(['<ü>']);
      const [seen] = (await raw.peekMessages()).peekedMessageItems;
      assert.equal(seen?.messageText, Buffer.from('<ü>').toString('base64'));
      assert.equal(seen.expiresOn.getUTCFullYear(), 9999);
    }),
  );

  it(
    'takes 48 KiB, which fill the 64 KiB of Azure to the byte',
    withBench(async ({ queue, raw }) => {
      assert.deepEqual(await queue.send(['x'.repeat(48 * 1024)]), [{ ok: true }]);
      assert.equal((await raw.peekMessages()).peekedMessageItems[0]?.messageText.length, 64 * 1024);
      await assert.rejects(raw.sendMessage('x'.repeat(64 * 1024 + 1)), { statusCode: 413 });
    }),
  );

  it(
    'brings what somebody else wrote, and its neighbours',
    withBench(async ({ queue, raw }) => {
      await queue.send(['ours']);
      for (const text of ['{"no": "Base64"}', '////', '']) await raw.sendMessage(text);
      const got = await queue.receive({ ...LONG, max: 32 });
      assert.deepEqual(
        got.map(({ body }) => body).sort(),
        ['', 'ours', '{"no": "Base64"}', '\ufffd\ufffd\ufffd'].sort(),
      );
      await Promise.all(got.map((delivery) => delivery.done()));
      assert.equal(await queue.depth(), 0);
    }),
  );

  it(
    'keeps a text through renewals, each of which makes the receipt before void',
    withBench(async ({ queue, raw }) => {
      await queue.send(['text']);
      const { receivedMessageItems } = await raw.receiveMessages({ visibilityTimeout: 60 });
      const first = receivedMessageItems[0]!;
      const { popReceipt } = await raw.updateMessage(first.messageId, first.popReceipt, undefined, 0);
      const [delivery] = await queue.receive({ ...LONG, max: 1 });
      await delivery!.extend(60_000);
      await delivery!.extend(60_000);
      for (const stale of [first.popReceipt, popReceipt!])
        await assert.rejects(raw.deleteMessage(first.messageId, stale), { code: 'PopReceiptMismatch' });
      await delivery!.extend(0);
      const [again] = await queue.receive({ ...LONG, max: 1 });
      assert.deepEqual([again?.body, again?.receiveCount], ['text', 3]);
      await again!.done();
    }),
  );

  it(
    'counts the requests it really makes: one a message sent, one a batch received, few while idle',
    withBench(async ({ queue, proxy, counts }) => {
      await queue.send(Array.from({ length: 40 }, String));
      await queue.receive({ ...NOW, max: 40 });
      await queue.receive({ ...NOW, max: 40 });
      assert.deepEqual(counts.totals(), {
        'azure-queue:CreateQueue': 1,
        'azure-queue:PutMessage': 40,
        'azure-queue:GetMessages': 2,
      });
      await queue.receive({ ...LONG, waitMs: 3_000, max: 1 });
      const polls = (counts.totals()['azure-queue:GetMessages'] ?? 0) - 2;
      assert.ok(polls >= 3 && polls <= 15, `${polls} looks in 3 s`);
      assert.equal(
        proxy.seen,
        Object.values(counts.totals()).reduce((sum, n) => sum + n, 0),
      );
    }),
  );
});

describe('azure queue: lost answers', { timeout: 400_000 }, () => {
  it(
    'sends again, and so twice',
    withBench(async ({ queue, proxy, counts }) => {
      proxy.setOnce('POST', /messages/, LOST);
      assert.deepEqual(await queue.send(['x']), [{ ok: true }]);
      assert.equal(await queue.depth(), 2);
      assert.equal(counts.totals()['azure-queue:PutMessage'], 2, 'retries count');
    }),
  );

  it(
    'has deleted what it deletes again and does not find',
    withBench(async ({ queue, proxy }) => {
      await queue.send(['x']);
      const [delivery] = await queue.receive({ ...LONG, max: 1 });
      proxy.setOnce('DELETE', /messages/, LOST);
      await delivery!.done();
      assert.equal(proxy.asked.get('DELETE'), 2);
      assert.equal(await queue.depth(), 0);
    }),
  );

  it(
    'says that a lease is lost when somebody else deleted the message after it ran out',
    withBench(async ({ queue }) => {
      await queue.send(['x']);
      const [late] = await queue.receive({ ...LONG, max: 1, leaseMs: 1_000 });
      const [other] = await queue.receive({ ...LONG, max: 1 });
      await other!.done();
      await assert.rejects(late!.done(), (error) => isCode(error, 'LEASE_LOST'));
      await assert.rejects(late!.extend(1_000), (error) => isCode(error, 'LEASE_LOST'));
    }),
  );

  it(
    'loses the lease with the answer to a renewal, and the message comes back',
    withBench(async ({ queue, proxy }) => {
      await queue.send(['x']);
      const [delivery] = await queue.receive({ ...LONG, max: 1 });
      proxy.setOnce('PUT', /messages/, LOST);
      await assert.rejects(delivery!.extend(1_000), (error) => isCode(error, 'LEASE_LOST'));
      assert.equal((await queue.receive({ ...LONG, max: 1 }))[0]?.receiveCount, 2);
    }),
  );

  it(
    'brings a message whose receipt was lost once its lease ends, with a count that proves nothing',
    withBench(async ({ queue, proxy }) => {
      await queue.send(['x']);
      proxy.setOnce('GET', /messages/, LOST);
      const [delivery] = await queue.receive({ ...LONG, max: 1, leaseMs: 1_000 });
      assert.equal(delivery?.receiveCount, 2);
    }),
  );
});

describe('azure queue: trouble', { timeout: 400_000 }, () => {
  const refusal = (status: number, code: string, headers: Record<string, string> = {}): Fault => ({
    kind: 'status',
    status,
    headers: { 'content-type': 'application/xml', 'x-ms-error-code': code, ...headers },
    body: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>No.</Message></Error>`,
  });

  it(
    'is told apart, with what to do about it',
    withBench(async ({ queue, proxy }) => {
      const date = new Date(Date.now() - 20 * 60_000).toUTCString();
      for (const [fault, code, text] of [
        [refusal(503, 'ServerBusy'), 'THROTTLED', /fewer requests/],
        [refusal(429, 'TooManyRequests'), 'THROTTLED', /fewer requests/],
        [refusal(500, 'InternalError'), 'UNAVAILABLE', /InternalError/],
        [refusal(404, 'QueueNotFound'), 'NOT_FOUND', /`clobi pool ensure` makes it/],
        [
          refusal(403, 'AuthorizationPermissionMismatch'),
          'CLOUD_AUTH',
          /Storage Queue Data Message Processor/,
        ],
        [refusal(403, 'AuthenticationFailed'), 'CLOUD_AUTH', /wrong, has expired/],
        [
          refusal(403, 'AuthenticationFailed', { date }),
          'CLOUD_AUTH',
          /clock of this machine is 20 minutes fast/,
        ],
        [refusal(403, 'AccountIsDisabled'), 'CLOUD_AUTH', /AccountIsDisabled/],
        [LOST, 'UNAVAILABLE', /queue/],
      ] as const) {
        proxy.set(fault);
        await assert.rejects(queue.receive({ ...NOW, max: 1 }), (error: ClobiError) => {
          assert.equal(error.code, code, error.message);
          assert.match(error.message, text);
          assert.ok(error.cause !== undefined);
          return true;
        });
      }
      proxy.set(refusal(403, 'AuthorizationPermissionMismatch'));
      const [sent] = await queue.send(['x']);
      assert.ok(sent?.ok === false && !sent.retryable && isCode(sent.cause, 'CLOUD_AUTH'));
      assert.match((sent.cause as Error).message, /Storage Queue Data Message Sender.*messages\/add\/action/);
    }),
  );

  it(
    'passes by itself when it is short',
    withBench(async ({ queue, proxy }) => {
      proxy.setOnce('POST', /messages/, refusal(503, 'ServerBusy'));
      assert.deepEqual(await queue.send(['x']), [{ ok: true }]);
    }),
  );

  it('is a wrong key', async () => {
    const url = azurite.queueUrl('some-queue');
    process.env['AZURE_STORAGE_KEY'] = Buffer.from('wrong').toString('base64');
    try {
      const queue = await openQueue(url);
      await assert.rejects(queue.depth(), (error) => isCode(error, 'CLOUD_AUTH'));
    } finally {
      Object.assign(process.env, azurite.env);
    }
  });

  it('is a server that is not there', async () => {
    const queue = await openQueue(`azure-queue://${azurite.account}/q?endpoint=http://127.0.0.1:1/x`);
    await assert.rejects(queue.receive({ ...NOW, max: 1 }), (error) => isCode(error, 'UNAVAILABLE'));
  });

  it(
    'does not hold up a receive that is aborted',
    withBench(async ({ queue, proxy }) => {
      proxy.set({ kind: 'silent' });
      const abort = new AbortController();
      const waiting = queue.receive({ ...LONG, max: 1, signal: abort.signal });
      abort.abort();
      const start = performance.now();
      assert.deepEqual(await waiting, []);
      assert.ok(performance.now() - start < 10_000, 'less than the patience of a connection');
    }),
  );
});

describe('azure queue: settings', { timeout: 400_000 }, () => {
  it('are seen and mended, with the queue of dead letters', async () => {
    const url = azurite.queueUrl(`${randomUUID()}-units`);
    const manager = await openManager(url);
    const found = await manager!.inspect();
    assert.deepEqual(
      found.map(({ thing, setting, mendable }) => [thing.replace(/ .*-/, ' '), setting, mendable]),
      [
        ['queue units', 'exists', true],
        ['queue dead', 'exists', true],
      ],
    );
    await manager!.mend(found);
    await manager!.mend(found);
    assert.deepEqual(await manager!.inspect(), []);
  });

  it('include the clock', async () => {
    await using proxy = await FaultProxy.start(azurite.endpoints.queue);
    const name = `q-${randomUUID()}`;
    await (await openQueue(azurite.queueUrl(name))).ensure();
    const date = new Date(Date.now() + 12 * 60_000).toUTCString();
    proxy.set({ kind: 'status', status: 200, headers: { date } });
    const manager = await openManager(`azure-queue://${azurite.account}/${name}?endpoint=${proxy.url}`);
    const [found] = await manager!.inspect();
    assert.deepEqual([found?.setting, found?.gravity], ['clock', 'failed']);
    assert.match(found?.is ?? '', /^7\d\d s behind$/);
  });
});
