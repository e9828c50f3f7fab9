import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Queue } from '../../shared/providers/ports.ts';
import {
  LONG,
  numbered,
  receiveAll,
  type QueueTraits,
  type QueueFixture,
  type WithQueue,
} from './queue-kit.ts';
import { leaseCases, processCases } from './queue-leases.ts';

export type { QueueFixture, QueueTraits } from './queue-kit.ts';

/** The behaviour every queue has. Written against the port alone. */
export function queueConformance(name: string, make: () => Promise<QueueFixture>, traits: QueueTraits): void {
  const withQueue =
    (test: (queue: Queue, fixture: QueueFixture) => Promise<void>) => async (): Promise<void> => {
      const fixture = await make();
      try {
        const queue = await fixture.open();
        await queue.ensure();
        await test(queue, fixture);
      } finally {
        await fixture.dispose();
      }
    };

  describe(`queue: ${name}`, { timeout: 240_000 }, () => {
    sendingCases(withQueue, traits);
    receivingCases(withQueue, traits);
    leaseCases(withQueue, traits);
    if (traits.otherProcesses) processCases(withQueue, traits);
  });
}

function sendingCases(withQueue: WithQueue, { bmpOnly = false }: QueueTraits): void {
  it(
    'gives a result for each body, and an oversize body fails alone',
    withQueue(async (queue) => {
      const limit = queue.capabilities.maxBodyBytes;
      const results = await queue.send(['before', 'x'.repeat(limit), 'x'.repeat(limit + 1), 'after']);
      assert.deepEqual(
        results.map((result) => result.ok),
        [true, true, false, true],
      );
      const refused = results[2]!;
      assert.ok(!refused.ok && !refused.retryable, 'the same body would be refused again');
      const sizes = (await receiveAll(queue, 3)).map((delivery) => delivery.body.length);
      assert.deepEqual(
        sizes.sort((a, b) => a - b),
        [5, 6, limit],
      );
    }),
  );

  it(
    'counts the limit in bytes, not letters',
    withQueue(async (queue) => {
      const limit = queue.capabilities.maxBodyBytes;
      const results = await queue.send([
        'é'.repeat(Math.floor(limit / 2)),
        'é'.repeat(Math.floor(limit / 2) + 1),
      ]);
      assert.deepEqual(
        results.map((result) => result.ok),
        [true, false],
      );
    }),
  );

  it(
    'takes no bodies',
    withQueue(async (queue) => {
      assert.deepEqual(await queue.send([]), []);
    }),
  );

  it(
    'brings bodies back unchanged',
    withQueue(async (queue) => {
      const bodies = [
        bmpOnly ? 'ü 漢字' : '{"a":"ü 漢字 😀"}',
        'two\nlines\ttab',
        ' spaces ',
        '<&>"\'',
        '\u2028\u00a0',
      ];
      await queue.send(bodies);
      const got = (await receiveAll(queue, bodies.length)).map((delivery) => delivery.body);
      assert.deepEqual(got.sort(), [...bodies].sort());
    }),
  );

  it(
    'tells roughly how many messages wait',
    withQueue(async (queue) => {
      assert.equal(await queue.depth(), 0);
      await queue.send(['a', 'b', 'c']);
      assert.equal(await queue.depth(), 3);
      const [first] = await queue.receive({ ...LONG, max: 1 });
      assert.equal(await queue.depth(), 2, 'a leased message does not wait');
      await first?.done();
      assert.equal(await queue.depth(), 2);
    }),
  );

  it(
    'keeps its messages when ensured again',
    withQueue(async (queue) => {
      await queue.send(['a']);
      await queue.ensure();
      assert.equal(await queue.depth(), 1);
    }),
  );
}

function receivingCases(withQueue: WithQueue, traits: QueueTraits): void {
  it(
    'answers with nothing after the wait',
    withQueue(async (queue) => {
      const start = performance.now();
      assert.deepEqual(await queue.receive({ max: 1, waitMs: 300, leaseMs: 1_000 }), []);
      if (queue.capabilities.longPoll) assert.ok(performance.now() - start >= 250, 'it waited');
    }),
  );

  it(
    'receives up to max, each message once',
    withQueue(async (queue) => {
      await queue.send(numbered(25));
      const first = await queue.receive({ ...LONG, max: 10 });
      assert.ok(first.length >= 1 && first.length <= 10);
      const rest = await receiveAll(queue, 25 - first.length);
      const bodies = [...first, ...rest].map((delivery) => delivery.body);
      assert.deepEqual(bodies.sort(), numbered(25).sort());
      assert.ok([...first, ...rest].every((delivery) => delivery.receiveCount === 1));
    }),
  );

  it(
    'wakes a waiting receive when something is sent',
    withQueue(async (queue, fixture) => {
      const waiting = queue.receive({ ...LONG, max: 1 });
      const other = await fixture.open();
      await other.send(['hello']);
      assert.deepEqual(
        (await waiting).map((delivery) => delivery.body),
        ['hello'],
      );
    }),
  );

  it(
    'swallows nothing when a receive is aborted',
    withQueue(async (queue) => {
      for (let round = 0; round < 20; round += 1) {
        const abort = new AbortController();
        const aborted = queue.receive({ ...LONG, max: 1, signal: abort.signal });
        // From before the send to well after it, so that some aborts meet the receive in the middle of its work.
        const sent = queue.send([`message ${round}`]);
        for (let turn = 0; turn < round; turn += 1) await new Promise(setImmediate);
        abort.abort();
        const early = await aborted;
        await sent;
        const [delivery] = early.length > 0 ? early : await queue.receive({ ...LONG, max: 1 });
        assert.equal(delivery?.body, `message ${round}`);
        if (traits.abortKeepsCount) assert.equal(delivery.receiveCount, 1);
        await delivery.done();
      }
    }),
  );

  it(
    'returns nothing to a receive that is aborted before or while it waits',
    withQueue(async (queue) => {
      assert.deepEqual(await queue.receive({ ...LONG, max: 1, signal: AbortSignal.abort() }), []);
      const abort = new AbortController();
      const waiting = queue.receive({ ...LONG, max: 1, signal: abort.signal });
      setImmediate(() => abort.abort());
      assert.deepEqual(await waiting, []);
    }),
  );

  it(
    'ends waiting receives with nothing when it is closed, and may be closed twice',
    withQueue(async (queue) => {
      const waiting = [queue.receive({ ...LONG, max: 1 }), queue.receive({ ...LONG, max: 1 })];
      await new Promise(setImmediate);
      await Promise.all([queue.close(), queue.close()]);
      assert.deepEqual(await Promise.all(waiting), [[], []]);
    }),
  );
}
