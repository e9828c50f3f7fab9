import assert from 'node:assert/strict';
import { it } from 'node:test';
import { startChild } from '../helpers/child.ts';
import { LONG, numbered, receiveAll, drain, type QueueTraits, type WithQueue } from './queue-kit.ts';

const CHILD = new URL('../fixtures/providers/queue-child.ts', import.meta.url);
export function leaseCases(withQueue: WithQueue, { crowd = 2_000 }: QueueTraits): void {
  it(
    'never gives one message to two of eight receivers',
    withQueue(async (queue, fixture) => {
      await queue.send(numbered(crowd));
      const handles = await Promise.all(Array.from({ length: 8 }, () => fixture.open()));
      const got = (await Promise.all(handles.map(drain))).flat();
      assert.deepEqual(got.sort(), numbered(crowd).sort());
    }),
  );
}

export function processCases(withQueue: WithQueue, { wakeMs, crowd = 2_000 }: QueueTraits): void {
  it(
    'wakes a waiting receive when another process sends',
    withQueue(async (queue, { url }) => {
      await using child = await startChild(CHILD, [url, 'send']);
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
    }),
  );

  it(
    'never gives one message to two processes',
    withQueue(async (queue, { url }) => {
      await queue.send(numbered(crowd));
      await using started = new AsyncDisposableStack();
      const start = async () => started.use(await startChild(CHILD, [url, 'drain', '2']));
      const children = await Promise.all(Array.from({ length: 4 }, start));
      await Promise.all(children.map((child) => child.ended));
      assert.deepEqual(
        children.map((child) => child.process.exitCode),
        [0, 0, 0, 0],
      );
      const got = children.flatMap((child) => child.lines.filter((line) => line !== 'ready'));
      assert.deepEqual(got.sort(), numbered(crowd).sort());
    }),
  );

  it(
    'brings back what a killed process held, after its lease',
    withQueue(async (queue, { url }) => {
      await queue.send(numbered(5));
      await using child = await startChild(CHILD, [url, 'hold', '5']);
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
        await using child = await startChild(CHILD, [url, 'flood']);
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
