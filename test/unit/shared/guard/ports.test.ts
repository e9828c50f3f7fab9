import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ClobiError, isCode } from '../../../../shared/errors.ts';
import { silentLogger } from '../../../../shared/log.ts';
import { isRefused } from '../../../../shared/providers/guard/breaker.ts';
import { Guard } from '../../../../shared/providers/guard/guard.ts';
import { Late, lateQueue, lateStore } from '../../../../shared/providers/guard/late.ts';
import { guardQueue } from '../../../../shared/providers/guard/queue.ts';
import { guardStore } from '../../../../shared/providers/guard/store.ts';
import { MemoryQueue } from '../../../../shared/providers/memory/queue.ts';
import { MemoryStore } from '../../../../shared/providers/memory/store.ts';
import type { ObjectStore, Queue, SendResult } from '../../../../shared/providers/ports.ts';

const makeGuard = (): Guard => new Guard({ name: 'pool p', log: silentLogger, needed: ['units.send'] });
const down = new ClobiError('UNAVAILABLE', 'down');
const ALL = { max: 10, waitMs: 0, leaseMs: 60_000 };

/** A queue that answers a send as told; all else is a memory queue's. */
function sendingQueue(answer: (bodies: readonly string[]) => SendResult[] | ClobiError): {
  queue: Queue;
  sends: () => number;
} {
  const memory = new MemoryQueue();
  let sends = 0;
  const queue: Queue = {
    capabilities: memory.capabilities,
    send: async (bodies) => {
      sends += 1;
      const result = answer(bodies);
      if (result instanceof ClobiError) throw result;
      return result;
    },
    receive: (options) => memory.receive(options),
    depth: () => memory.depth(),
    ensure: () => memory.ensure(),
    close: () => memory.close(),
  };
  return { queue, sends: () => sends };
}

describe('guardQueue', () => {
  test('hands everything through', async () => {
    const queue = guardQueue(new MemoryQueue(), makeGuard(), 'units');
    assert.equal(queue.capabilities.maxReceive, 100);
    assert.deepEqual(await queue.send(['a', 'b']), [{ ok: true }, { ok: true }]);
    assert.equal(await queue.depth(), 2);
    const [delivery] = await queue.receive({ ...ALL, max: 1 });
    assert.deepEqual([delivery?.body, delivery?.receiveCount], ['a', 1]);
    await delivery?.extend(1_000);
    await delivery?.done();
    await delivery?.done();
    assert.equal(await queue.depth(), 1);
  });

  test('a send is never repeated, and fails for each body once it is refused', async () => {
    const { queue, sends } = sendingQueue(() => down);
    const guarded = guardQueue(queue, makeGuard(), 'units');
    for (let send = 1; send <= 5; send += 1) {
      await assert.rejects(guarded.send(['a']), down);
      assert.equal(sends(), send);
    }
    const refused = await guarded.send(['a', 'b']);
    assert.equal(sends(), 5);
    assert.ok(refused.length === 2 && refused.every((result) => !result.ok && isRefused(result.cause)));
  });

  test('results that all fail of the provider count as a failure; one that is sent is a success', async () => {
    const bad: SendResult = { ok: false, retryable: true, cause: down };
    let answer: SendResult[] = [bad, bad];
    const guard = makeGuard();
    const queue = guardQueue(sendingQueue(() => answer).queue, guard, 'units');
    for (let send = 0; send < 4; send += 1) assert.deepEqual(await queue.send(['a', 'b']), answer);
    answer = [bad, { ok: true }];
    assert.deepEqual(await queue.send(['a', 'b']), answer);
    assert.equal(guard.health.operations['units.send']?.state, 'ok');
    answer = [bad, bad];
    for (let send = 0; send < 5; send += 1) await queue.send(['a', 'b']);
    assert.equal(guard.isDark, true);
  });

  test('bodies that are refused one by one are no outage', async () => {
    const tooBig: SendResult = {
      ok: false,
      retryable: false,
      cause: new ClobiError('LIMIT_EXCEEDED', 'too big'),
    };
    const guard = makeGuard();
    const queue = guardQueue(sendingQueue(() => [tooBig]).queue, guard, 'units');
    for (let send = 0; send < 10; send += 1) assert.deepEqual(await queue.send(['a']), [tooBig]);
    assert.equal(guard.isDark, false);
  });
});

/** A memory store whose puts and gets fail so many times. */
function failingStore(times: number): { store: ObjectStore; calls: () => number } {
  const memory = new MemoryStore();
  let calls = 0;
  const failFirst = async <T>(work: () => Promise<T>): Promise<T> => {
    calls += 1;
    if (calls <= times) throw down;
    return work();
  };
  const store: ObjectStore = {
    capabilities: memory.capabilities,
    put: (key, body, options) => failFirst(() => memory.put(key, body, options)),
    get: (key, options) => failFirst(() => memory.get(key, options)),
    head: (key) => memory.head(key),
    list: (prefix, after) => memory.list(prefix, after),
    remove: (keys) => memory.remove(keys),
    presign: () => memory.presign(),
  };
  return { store, calls: () => calls };
}

describe('guardStore', () => {
  test('repeats a put and a get, but not a put that must find nothing', async () => {
    const { store, calls } = failingStore(1);
    const guarded = guardStore(store, makeGuard());
    await guarded.put('a', 'x');
    assert.equal(calls(), 2);
    const other = failingStore(1);
    const onlyOnce = guardStore(other.store, makeGuard());
    await assert.rejects(onlyOnce.put('a', 'x', { ifAbsent: true }), down);
    assert.equal(other.calls(), 1);
  });

  test('hands everything through', async () => {
    const store = guardStore(new MemoryStore(), makeGuard());
    assert.equal(store.direct, undefined);
    await store.put('a/b', 'x', { ifAbsent: true });
    await assert.rejects(store.put('a/b', 'y', { ifAbsent: true }), (error) =>
      isCode(error, 'PRECONDITION_FAILED'),
    );
    const etag = (await store.head('a/b'))?.etag ?? '';
    assert.equal(await store.get('a/b', { ifNoneMatch: etag }), undefined);
    assert.deepEqual(
      (await store.list('a/')).map(({ key }) => key),
      ['a/b'],
    );
    await store.remove(['a/b']);
    await assert.rejects(store.get('a/b'), (error) => isCode(error, 'NOT_FOUND'));
  });
});

describe('Late', () => {
  test('is opened until it is open, and once; nothing is asked of it before', async () => {
    let attempts = 0;
    const late = new Late<Queue>(async () => {
      attempts += 1;
      if (attempts === 1) throw new ClobiError('INVALID_CONFIG', 'no such thing');
      return new MemoryQueue();
    });
    const queue = lateQueue(late);
    await assert.rejects(
      late.open(),
      (error) => isCode(error, 'UNAVAILABLE') && /no such/.test(String(error)),
    );
    await assert.rejects(queue.send(['a']), (error) => isCode(error, 'UNAVAILABLE'));
    await queue.close();
    await late.open();
    await late.open();
    assert.equal(attempts, 2);
    await queue.send(['a']);
    assert.equal(await queue.depth(), 1);
    assert.equal(queue.capabilities.maxReceive, 100);
  });

  test('keeps trouble that a person must end apart', async () => {
    const refused = new ClobiError('CLOUD_AUTH', 'no');
    const late = new Late<ObjectStore>(() => Promise.reject(refused));
    await assert.rejects(late.open(), refused);
    await assert.rejects(lateStore(late).head('a'), (error) => isCode(error, 'UNAVAILABLE'));
  });
});
