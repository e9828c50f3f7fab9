import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Queue } from '../../shared/providers/ports.ts';
import { leaseProbes } from '../../shared/providers/probes/leases.ts';
import { queueProbes } from '../../shared/providers/probes/queue.ts';
import { LONG, type QueueTraits, type QueueFixture, type WithQueue } from './queue-kit.ts';
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

  describe(`queue: ${name}`, { timeout: 400_000 }, () => {
    for (const probe of [...queueProbes(traits), ...leaseProbes(traits)])
      it(
        probe.name,
        withQueue((queue, fixture) => probe.run(queue, () => fixture.open())),
      );
    sendingCases(withQueue);
    receivingCases(withQueue, traits);
    leaseCases(withQueue, traits);
    if (traits.otherProcesses) processCases(withQueue, traits);
  });
}

function sendingCases(withQueue: WithQueue): void {
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
    'ends waiting receives with nothing when it is closed, and may be closed twice',
    withQueue(async (queue) => {
      const waiting = [queue.receive({ ...LONG, max: 1 }), queue.receive({ ...LONG, max: 1 })];
      await new Promise(setImmediate);
      await Promise.all([queue.close(), queue.close()]);
      assert.deepEqual(await Promise.all(waiting), [[], []]);
    }),
  );
}
