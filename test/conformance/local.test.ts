import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isCode, messageOf } from '../../shared/errors.ts';
import { LocalQueue } from '../../shared/providers/local/queue.ts';
import { FileStore } from '../../shared/providers/local/store.ts';
import { openQueue, openStore } from '../../shared/providers/open.ts';
import type { Queue } from '../../shared/providers/ports.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { queueConformance, type QueueFixture } from './queue-suite.ts';
import { HOSTILE_KEYS, checkKeys } from './store-lists.ts';
import { storeConformance } from './store-suite.ts';

queueConformance('local', makeQueue, {
  otherProcesses: true,
  abortKeepsCount: true,
  staleDoneRejects: true,
  leaseMs: 300,
  wakeMs: 5,
});

storeConformance(
  'local',
  async () => {
    const directory = await temporaryDirectory();
    const url = `file:${directory.path}/store`;
    return { url, open: () => openStore(url), dispose: async () => directory[Symbol.asyncDispose]() };
  },
  { otherProcesses: true },
);

async function makeQueue(): Promise<QueueFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'clobi-test-'));
  const url = `local-queue:${directory}/queues/some #?% queue.sqlite`;
  const opened: Queue[] = [];
  const open = async (): Promise<Queue> => {
    const queue = await openQueue(url);
    opened.push(queue);
    return queue;
  };
  const dispose = async (): Promise<void> => {
    await Promise.all(opened.map((queue) => queue.close()));
    await rm(directory, { recursive: true });
  };
  return { url, open, dispose };
}

describe('local queue file', () => {
  it('is missed with a hint until it is ensured', async () => {
    await using directory = await temporaryDirectory();
    const queue = LocalQueue.open(join(directory.path, 'q.sqlite'));
    await assert.rejects(queue.receive({ max: 1, waitMs: 0, leaseMs: 1 }), (error) =>
      isCode(error, 'NOT_FOUND'),
    );
    const [result] = await queue.send(['x']);
    assert.ok(result?.ok === false && isCode(result.cause, 'NOT_FOUND'));
    assert.deepEqual(await readdir(directory.path), []);
    await queue.close();
  });

  it('is made once by many at a time', async () => {
    await using directory = await temporaryDirectory();
    const queues = Array.from({ length: 10 }, () => LocalQueue.open(join(directory.path, 'q.sqlite')));
    await Promise.all(queues.map((queue) => queue.ensure()));
    await Promise.all(queues.map((queue) => queue.send(['x'])));
    assert.equal(await queues[0]?.depth(), 10);
    await Promise.all(queues.map((queue) => queue.close()));
    assert.deepEqual((await readdir(directory.path)).sort(), ['q.sqlite', 'q.sqlite.bell']);
  });

  it('of somebody else is refused and left alone', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'q.sqlite');
    for (const content of ['', 'no database at all, but long enough to be read as one '.repeat(100)]) {
      await writeFile(path, content);
      await assert.rejects(LocalQueue.open(path).ensure(), (error) => {
        assert.ok(isCode(error, 'INVALID_CONFIG'), messageOf(error));
        assert.match(messageOf(error), /q\.sqlite/);
        return true;
      });
      assert.equal(await readFile(path, 'utf8'), content);
    }
  });

  it('gives expired messages before fresh ones, and fresh ones in the order sent', async () => {
    await using directory = await temporaryDirectory();
    const queue = LocalQueue.open(join(directory.path, 'q.sqlite'));
    await queue.ensure();
    await queue.send(['a', 'b', 'c', 'd']);
    const [, second] = await queue.receive({ max: 2, waitMs: 0, leaseMs: 60_000 });
    await second?.extend(0);
    const rest = await queue.receive({ max: 10, waitMs: 1_000, leaseMs: 60_000 });
    assert.deepEqual(
      rest.map((delivery) => delivery.body),
      ['b', 'c', 'd'],
    );
    await queue.close();
  });

  it('brings a message back when its lease runs out, not when it is time to look again', async () => {
    await using directory = await temporaryDirectory();
    const queue = LocalQueue.open(join(directory.path, 'q.sqlite'));
    await queue.ensure();
    await queue.send(['a']);
    const start = performance.now();
    await queue.receive({ max: 1, waitMs: 0, leaseMs: 150 });
    await queue.receive({ max: 1, waitMs: 10_000, leaseMs: 60_000 });
    const waited = performance.now() - start;
    assert.ok(waited >= 149 && waited < 9_000, `${waited} ms`);
    await queue.close();
  });

  it('keeps the order at a depth of 100,000', async () => {
    await using directory = await temporaryDirectory();
    const queue = LocalQueue.open(join(directory.path, 'q.sqlite'));
    await queue.ensure();
    await queue.send(Array.from({ length: 100_000 }, (_, n) => String(n)));
    for (let n = 0; n < 100; n += 1) {
      const [delivery] = await queue.receive({ max: 1, waitMs: 0, leaseMs: 60_000 });
      assert.equal(delivery?.body, String(n));
      await delivery.done();
    }
    assert.equal(await queue.depth(), 99_900);
    await queue.close();
  });
});

describe('local store directory', () => {
  it('holds hostile keys inside itself', async () => {
    await using directory = await temporaryDirectory();
    const store = await FileStore.open(join(directory.path, 'store'));
    await checkKeys(store, HOSTILE_KEYS);
    assert.deepEqual(await readdir(directory.path), ['store']);
  });

  it('says which keys it cannot hold', async () => {
    await using directory = await temporaryDirectory();
    const store = await FileStore.open(directory.path);
    for (const key of ['', 'x'.repeat(256), 'x/'.repeat(600), '\ud800']) {
      await assert.rejects(store.put(key, 'x'), (error) => isCode(error, 'LIMIT_EXCEEDED'));
    }
  });

  it('uses the SHA-256 of a small object as its ETag', async () => {
    await using directory = await temporaryDirectory();
    const store = await FileStore.open(directory.path);
    const { etag } = await store.put('key', 'abc');
    assert.equal(etag, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('forgets temporary files of crashed writers, once they are old', async () => {
    await using directory = await temporaryDirectory();
    const store = await FileStore.open(directory.path);
    const [old, young] = ['old', 'young'].map((name) => join(directory.path, '%tmp', name)) as [
      string,
      string,
    ];
    await writeFile(old, 'x');
    await writeFile(young, 'x');
    await utimes(old, 0, 0);
    assert.deepEqual(await store.list(''), []);
    await FileStore.open(directory.path);
    assert.deepEqual(await readdir(join(directory.path, '%tmp')), ['young']);
  });

  it('lists a directory of thousands page by page while it changes', async () => {
    await using directory = await temporaryDirectory();
    const store = await FileStore.open(directory.path);
    await store.put('many/0', 'x');
    const names = Array.from({ length: 5_000 }, (_, n) => String(n).padStart(5, '0'));
    await Promise.all(names.map((name) => writeFile(join(directory.path, 'many%', name), 'x')));
    const first = await store.list('many/');
    await store.remove(['many/02000']);
    await store.put('many/01500-new', 'x');
    const rest: string[] = [];
    for (let after = first.at(-1)?.key; after !== undefined; after = rest.at(-1)) {
      const page = await store.list('many/', after);
      if (page.length === 0) break;
      rest.push(...page.map((info) => info.key));
    }
    assert.ok(rest.includes('many/01500-new') && !rest.includes('many/02000'));
    assert.equal(first.length + rest.length, 5_001);
  });

  it('reports a directory that cannot be used', async () => {
    await using directory = await temporaryDirectory();
    await writeFile(join(directory.path, 'file'), 'x');
    await assert.rejects(FileStore.open(join(directory.path, 'file')), (error) =>
      isCode(error, 'INVALID_CONFIG'),
    );
  });
});
