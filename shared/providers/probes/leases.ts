import assert from 'node:assert/strict';
import { isCode } from '../../errors.ts';
import { LONG, NOW, type QueueProbe, type QueueProbeTraits, takeOne } from './queue.ts';

/** Leases, receipts and deletes, tried on a new, empty queue. */
export const leaseProbes = (traits: QueueProbeTraits): QueueProbe[] => [
  ...lapsing(traits),
  ...ending(traits),
];

const lapsing = ({ leaseMs, staleDoneRejects }: QueueProbeTraits): QueueProbe[] => [
  {
    name: 'hides a leased message, and brings it again with a higher count when the lease runs out',
    run: async (queue) => {
      await queue.send(['a']);
      const first = await takeOne(queue, leaseMs);
      assert.deepEqual(await queue.receive({ ...NOW, max: 1 }), []);
      const second = await takeOne(queue);
      assert.deepEqual([first.receiveCount, second.receiveCount, second.body], [1, 2, 'a']);
    },
  },
  {
    name: 'rejects a stale receipt',
    run: async (queue) => {
      await queue.send(['a']);
      const stale = await takeOne(queue, leaseMs);
      const fresh = await takeOne(queue);
      if (staleDoneRejects) {
        await assert.rejects(stale.extend(60_000), (error) => isCode(error, 'LEASE_LOST'));
        await assert.rejects(stale.done(), (error) => isCode(error, 'LEASE_LOST'));
        await assert.rejects(stale.done(), (error) => isCode(error, 'LEASE_LOST'), 'and again');
      } else {
        await stale.done().catch((error: unknown) => assert.ok(isCode(error, 'LEASE_LOST')));
      }
      await fresh.extend(60_000);
      await fresh.done();
    },
  },
  {
    name: 'keeps an extended message hidden',
    run: async (queue) => {
      await queue.send(['a']);
      const delivery = await takeOne(queue, leaseMs);
      await delivery.extend(60_000);
      assert.deepEqual(await queue.receive({ max: 1, waitMs: leaseMs + 500, leaseMs }), []);
      await delivery.done();
    },
  },
];

const ending = ({ leaseMs }: QueueProbeTraits): QueueProbe[] => [
  {
    name: 'shows a message again at once when its lease is cut to nothing',
    run: async (queue) => {
      await queue.send(['a']);
      const delivery = await takeOne(queue);
      const waiting = queue.receive({ ...LONG, max: 1 });
      await delivery.extend(0);
      assert.equal((await waiting)[0]?.receiveCount, 2);
    },
  },
  {
    name: 'deletes for good, and takes a second done in silence',
    run: async (queue) => {
      await queue.send(['a']);
      const delivery = await takeOne(queue, leaseMs);
      await Promise.all([delivery.extend(leaseMs), delivery.done(), delivery.done()]);
      await delivery.done();
      assert.deepEqual(await queue.receive({ max: 1, waitMs: leaseMs + 500, leaseMs }), []);
    },
  },
  {
    name: 'refuses a lease longer than it can keep',
    run: async (queue) => {
      const tooLong = queue.capabilities.maxLeaseMs + 1;
      await assert.rejects(queue.receive({ max: 1, waitMs: 0, leaseMs: tooLong }), (error) =>
        isCode(error, 'LIMIT_EXCEEDED'),
      );
    },
  },
];
