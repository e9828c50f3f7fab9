import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isCode } from '../../shared/errors.ts';
import type { Delivery, Queue } from '../../shared/providers/ports.ts';
import { startChild } from '../helpers/child.ts';

/** What is known of a provider's queue, where providers differ. */
export interface QueueTraits {
  /** Other processes can open the queue by its URL. */
  otherProcesses: boolean;
  /** A receive that is aborted leaves the receive count as it was. */
  abortKeepsCount: boolean;
  /** `done` with a stale receipt rejects (else it may pass, and the message may stay). */
  staleDoneRejects: boolean;
  /** A lease short enough to wait for. */
  leaseMs: number;
  /** Longest time from a send to its receipt in another process on an idle machine; the tests allow much more. */
  wakeMs: number;
}

/** A new, empty queue. */
export interface QueueFixture {
  url: string;
  /** One more handle on the queue; all are closed by `dispose`. */
  open(): Promise<Queue>;
  dispose(): Promise<void>;
}

const CHILD = new URL('../fixtures/providers/queue-child.ts', import.meta.url);
const LONG = { waitMs: 10_000, leaseMs: 60_000 };
const NOW = { waitMs: 0, leaseMs: 60_000 };

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

  describe(`queue: ${name}`, { timeout: 120_000 }, () => {
    sendingCases(withQueue);
    receivingCases(withQueue, traits);
    leaseCases(withQueue, traits);
    if (traits.otherProcesses) processCases(withQueue, traits);
  });
}

type WithQueue = (test: (queue: Queue, fixture: QueueFixture) => Promise<void>) => () => Promise<void>;

function sendingCases(withQueue: WithQueue): void {
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
      const bodies = ['{"a":"ü 漢字 😀"}', 'two\nlines\ttab', ' spaces ', '<&>"\'', '\u2028\u00a0'];
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

function leaseCases(withQueue: WithQueue, { leaseMs, staleDoneRejects }: QueueTraits): void {
  it(
    'hides a leased message, and brings it again with a higher count when the lease runs out',
    withQueue(async (queue) => {
      await queue.send(['a']);
      const [first] = await queue.receive({ ...LONG, max: 1, leaseMs });
      assert.deepEqual(await queue.receive({ ...NOW, max: 1 }), []);
      const [second] = await queue.receive({ ...LONG, max: 1 });
      assert.deepEqual([first?.receiveCount, second?.receiveCount, second?.body], [1, 2, 'a']);
    }),
  );

  it(
    'rejects a stale receipt',
    withQueue(async (queue) => {
      await queue.send(['a']);
      const [stale] = await queue.receive({ ...LONG, max: 1, leaseMs });
      const [fresh] = await queue.receive({ ...LONG, max: 1 });
      if (staleDoneRejects) {
        await assert.rejects(stale!.extend(60_000), (error) => isCode(error, 'LEASE_LOST'));
        await assert.rejects(stale!.done(), (error) => isCode(error, 'LEASE_LOST'));
        await assert.rejects(stale!.done(), (error) => isCode(error, 'LEASE_LOST'), 'and again');
      } else {
        await stale!.done().catch((error: unknown) => assert.ok(isCode(error, 'LEASE_LOST')));
      }
      await fresh!.extend(60_000);
      await fresh!.done();
    }),
  );

  it(
    'keeps an extended message hidden',
    withQueue(async (queue) => {
      await queue.send(['a']);
      const [delivery] = await queue.receive({ ...LONG, max: 1, leaseMs });
      await delivery!.extend(60_000);
      assert.deepEqual(await queue.receive({ max: 1, waitMs: leaseMs + 500, leaseMs }), []);
      await delivery!.done();
    }),
  );

  it(
    'shows a message again at once when its lease is cut to nothing',
    withQueue(async (queue) => {
      await queue.send(['a']);
      const [delivery] = await queue.receive({ ...LONG, max: 1 });
      const waiting = queue.receive({ ...LONG, max: 1 });
      await delivery!.extend(0);
      assert.equal((await waiting)[0]?.receiveCount, 2);
    }),
  );

  it(
    'deletes for good, and takes a second done in silence',
    withQueue(async (queue) => {
      await queue.send(['a']);
      const [delivery] = await queue.receive({ ...LONG, max: 1, leaseMs });
      await Promise.all([delivery!.extend(leaseMs), delivery!.done(), delivery!.done()]);
      await delivery!.done();
      assert.deepEqual(await queue.receive({ max: 1, waitMs: leaseMs + 500, leaseMs }), []);
    }),
  );

  it(
    'refuses a lease longer than it can keep',
    withQueue(async (queue) => {
      const tooLong = queue.capabilities.maxLeaseMs + 1;
      await assert.rejects(queue.receive({ max: 1, waitMs: 0, leaseMs: tooLong }), (error) =>
        isCode(error, 'LIMIT_EXCEEDED'),
      );
    }),
  );

  it(
    'never gives one message to two of eight receivers',
    withQueue(async (queue, fixture) => {
      await queue.send(numbered(2_000));
      const handles = await Promise.all(Array.from({ length: 8 }, () => fixture.open()));
      const got = (await Promise.all(handles.map(drain))).flat();
      assert.deepEqual(got.sort(), numbered(2_000).sort());
    }),
  );
}

function processCases(withQueue: WithQueue, { wakeMs }: QueueTraits): void {
  it(
    'wakes a waiting receive when another process sends',
    withQueue(async (queue, { url }) => {
      const child = await startChild(CHILD, [url, 'send']);
      try {
        const latencies: number[] = [];
        for (let n = 0; n < 10; n += 1) {
          const waiting = queue.receive({ ...LONG, max: 1 });
          const sending = child.nextLine((line) => line.startsWith('sending'));
          child.process.stdin.write(`message ${n}\n`);
          const [delivery] = await waiting;
          const received = Date.now();
          assert.equal(delivery?.body, `message ${n}`);
          latencies.push(received - Number((await sending).split(' ')[1]));
          await delivery.done();
        }
        const median = latencies.sort((a, b) => a - b)[5]!;
        assert.ok(median <= wakeMs * 20, `median ${median} ms from send to receipt`);
      } finally {
        await child.kill();
      }
    }),
  );

  it(
    'never gives one message to two processes',
    withQueue(async (queue, { url }) => {
      await queue.send(numbered(2_000));
      const children = await Promise.all(
        Array.from({ length: 4 }, () => startChild(CHILD, [url, 'drain', '2'])),
      );
      await Promise.all(children.map((child) => child.ended));
      assert.deepEqual(
        children.map((child) => child.process.exitCode),
        [0, 0, 0, 0],
      );
      const got = children.flatMap((child) => child.lines.filter((line) => line !== 'ready'));
      assert.deepEqual(got.sort(), numbered(2_000).sort());
    }),
  );

  it(
    'brings back what a killed process held, after its lease',
    withQueue(async (queue, { url }) => {
      await queue.send(numbered(5));
      const child = await startChild(CHILD, [url, 'hold', '5']);
      if (!child.lines.includes('holding 5')) await child.nextLine((line) => line === 'holding 5');
      await child.kill();
      const back = await receiveAll(queue, 5);
      assert.deepEqual(back.map((delivery) => delivery.body).sort(), numbered(5).sort());
      assert.ok(back.every((delivery) => delivery.receiveCount === 2));
    }),
  );

  it(
    'keeps what a killed sender was told is sent, and no part of a message',
    withQueue(async (queue, { url }) => {
      const sent: string[] = [];
      for (let round = 0; round < 5; round += 1) {
        const child = await startChild(CHILD, [url, 'flood']);
        await child.nextLine((line) => Number(line) >= 10 + round * 7);
        await child.kill();
        const batches = child.lines.filter((line) => line !== 'ready');
        sent.push(
          ...batches.flatMap((n) => [0, 1, 2, 3, 4].map((i) => `${String(child.process.pid)}:${n}:${i}`)),
        );
      }
      const got = await drain(queue);
      assert.equal(new Set(got).size, got.length, 'nothing twice');
      const present = new Set(got);
      assert.deepEqual(
        sent.filter((body) => !present.has(body)),
        [],
      );
      assert.ok(got.every((body) => /^\d+:\d+:[0-4]$/.test(body)));
    }),
  );
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, n) => `message ${n}`);

/** Receives until `count` messages are here; fails when nothing more comes. */
async function receiveAll(queue: Queue, count: number): Promise<Delivery[]> {
  const got: Delivery[] = [];
  while (got.length < count) {
    const more = await queue.receive({ ...LONG, max: count - got.length });
    assert.ok(more.length > 0, `${got.length} of ${count} messages came`);
    got.push(...more);
  }
  return got;
}

/** Takes and deletes until nothing comes for half a second. */
async function drain(queue: Queue): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const deliveries = await queue.receive({ max: 10, waitMs: 500, leaseMs: 60_000 });
    if (deliveries.length === 0) return bodies;
    bodies.push(...deliveries.map((delivery) => delivery.body));
    await Promise.all(deliveries.map((delivery) => delivery.done()));
  }
}
