import assert from 'node:assert/strict';
import type { Delivery, Queue } from '../ports.ts';

/** What a queue must do, tried on a new, empty one: by the conformance suites, and on a user's own account. */
export interface QueueProbe {
  name: string;
  /** Rejects with what is not so. `open` gives one more handle, which its owner closes. */
  run: (queue: Queue, open: () => Promise<Queue>) => Promise<void>;
}

/** Where providers differ. */
export interface QueueProbeTraits {
  /** The server refuses letters beyond U+FFFF, which the real one takes. */
  bmpOnly?: boolean;
  /** `done` with a stale receipt rejects (else it may pass, and the message may stay). */
  staleDoneRejects: boolean;
  /** A lease short enough to wait for. */
  leaseMs: number;
}

export const LONG = { waitMs: 10_000, leaseMs: 60_000 };
export const NOW = { waitMs: 0, leaseMs: 60_000 };
export const numbered = (count: number): string[] => Array.from({ length: count }, (_, n) => `message ${n}`);

/** Receives until `count` messages are here; fails when nothing more comes. */
export async function receiveAll(queue: Queue, count: number): Promise<Delivery[]> {
  const got: Delivery[] = [];
  while (got.length < count) {
    const more = await queue.receive({ ...LONG, max: count - got.length });
    assert.ok(more.length > 0, `${got.length} of ${count} messages came`);
    got.push(...more);
  }
  return got;
}

/** The one message that is there. */
export async function takeOne(queue: Queue, leaseMs = LONG.leaseMs): Promise<Delivery> {
  const [delivery] = await queue.receive({ ...LONG, max: 1, leaseMs });
  assert.ok(delivery !== undefined, 'nothing came');
  return delivery;
}

export const queueProbes = (traits: QueueProbeTraits): QueueProbe[] => [...sending(traits), ...receiving()];

function sending({ bmpOnly = false }: QueueProbeTraits): QueueProbe[] {
  return [
    {
      name: 'gives a result for each body, and an oversize body fails alone',
      run: async (queue) => {
        const limit = queue.capabilities.maxBodyBytes;
        const results = await queue.send(['before', 'x'.repeat(limit), 'x'.repeat(limit + 1), 'after']);
        assert.deepEqual(
          results.map((result) => result.ok),
          [true, true, false, true],
        );
        const refused = results[2];
        assert.ok(refused?.ok === false && !refused.retryable, 'the same body would be refused again');
        const sizes = (await receiveAll(queue, 3)).map((delivery) => delivery.body.length);
        assert.deepEqual(
          sizes.sort((a, b) => a - b),
          [5, 6, limit],
        );
      },
    },
    {
      name: 'counts the limit in bytes, not letters',
      run: async (queue) => {
        const limit = queue.capabilities.maxBodyBytes;
        const results = await queue.send([
          'é'.repeat(Math.floor(limit / 2)),
          'é'.repeat(Math.floor(limit / 2) + 1),
        ]);
        assert.deepEqual(
          results.map((result) => result.ok),
          [true, false],
        );
      },
    },
    {
      name: 'takes no bodies',
      run: async (queue) => {
        assert.deepEqual(await queue.send([]), []);
      },
    },
    {
      name: 'brings bodies back unchanged',
      run: async (queue) => {
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
      },
    },
  ];
}

function receiving(): QueueProbe[] {
  return [
    {
      name: 'answers with nothing after the wait',
      run: async (queue) => {
        const start = performance.now();
        assert.deepEqual(await queue.receive({ max: 1, waitMs: 300, leaseMs: 1_000 }), []);
        if (queue.capabilities.longPoll) assert.ok(performance.now() - start >= 250, 'it waited');
      },
    },
    {
      name: 'receives up to max, each message once',
      run: async (queue) => {
        await queue.send(numbered(25));
        const first = await queue.receive({ ...LONG, max: 10 });
        assert.ok(first.length >= 1 && first.length <= 10);
        const rest = await receiveAll(queue, 25 - first.length);
        const bodies = [...first, ...rest].map((delivery) => delivery.body);
        assert.deepEqual(bodies.sort(), numbered(25).sort());
        assert.ok([...first, ...rest].every((delivery) => delivery.receiveCount === 1));
      },
    },
    {
      name: 'wakes a waiting receive when something is sent',
      run: async (queue, open) => {
        const waiting = queue.receive({ ...LONG, max: 1 });
        const other = await open();
        await other.send(['hello']);
        assert.deepEqual(
          (await waiting).map((delivery) => delivery.body),
          ['hello'],
        );
      },
    },
    {
      name: 'returns nothing to a receive that is aborted before or while it waits',
      run: async (queue) => {
        assert.deepEqual(await queue.receive({ ...LONG, max: 1, signal: AbortSignal.abort() }), []);
        const abort = new AbortController();
        const waiting = queue.receive({ ...LONG, max: 1, signal: abort.signal });
        setImmediate(() => abort.abort());
        assert.deepEqual(await waiting, []);
      },
    },
  ];
}
