import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { isCode } from '../../shared/errors.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { startChild } from '../helpers/child.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';

/** What is known of a provider's store, where providers differ beyond their `capabilities`. */
export interface StoreTraits {
  /** Other processes can open the store by its URL. */
  otherProcesses: boolean;
}

/** A new, empty store. */
export interface StoreFixture {
  url: string;
  open(): Promise<ObjectStore>;
  dispose(): Promise<void>;
}

const CHILD = new URL('../fixtures/providers/store-child.ts', import.meta.url);
/** Keys that file systems, URLs and XML find hard; each is another object. */
const STRANGE_KEYS = [
  'a',
  'a/b',
  'a/b/c',
  'a!',
  'a-b',
  'a b',
  'A',
  'x/100%',
  'x/%25',
  'x/%2F',
  'q?a=b&c=d#e',
  'plus+and=',
  'quote"\'`',
  '<xml>&amp;',
  'ü/漢字/😀',
  'u\u0308/decomposed',
  // In UTF-16 the second sorts before the first, in bytes behind it.
  'z\uff5e',
  'z😀',
  'dots/.../x',
  '.hidden',
  `long/${'n'.repeat(200)}`,
];
/** Keys that some stores normalise or refuse; ours never makes them, and a store on files must still be safe. */
export const HOSTILE_KEYS = [
  '/lead',
  'trail/',
  'x//y',
  '../up',
  'a/../../up',
  './here',
  '..',
  '.',
  'nul\0x',
  '//',
  '%tmp/x',
];

type WithStore = (test: (store: ObjectStore, fixture: StoreFixture) => Promise<void>) => () => Promise<void>;

/** The behaviour every object store has. Written against the port alone. */
export function storeConformance(name: string, make: () => Promise<StoreFixture>, traits: StoreTraits): void {
  const withStore: WithStore = (test) => async () => {
    const fixture = await make();
    try {
      await test(await fixture.open(), fixture);
    } finally {
      await fixture.dispose();
    }
  };

  describe(`store: ${name}`, { timeout: 120_000 }, () => {
    objectCases(withStore);
    conditionCases(withStore);
    listCases(withStore);
    if (traits.otherProcesses) processCases(withStore);
  });
}

function objectCases(withStore: WithStore): void {
  it(
    'brings back what was put',
    withStore(async (store) => {
      const put = await store.put('dir/key', 'héllo');
      assert.deepEqual([put.key, put.sizeBytes], ['dir/key', 6]);
      const got = await store.get('dir/key');
      assert.deepEqual([got?.key, got?.sizeBytes, got?.etag], ['dir/key', 6, put.etag]);
      assert.equal((await bytesOf(got?.body)).toString(), 'héllo');
      assert.deepEqual(await store.head('dir/key'), put);
      await store.put('binary', Uint8Array.from([0, 255, 10, 13]));
      assert.deepEqual([...(await read(store, 'binary'))], [0, 255, 10, 13]);
    }),
  );

  it(
    'replaces an object, and its ETag with it',
    withStore(async (store) => {
      const first = await store.put('key', 'one');
      const second = await store.put('key', 'two');
      assert.notEqual(first.etag, second.etag);
      assert.equal((await read(store, 'key')).toString(), 'two');
    }),
  );

  it(
    'holds empty objects',
    withStore(async (store) => {
      assert.equal((await store.put('empty', '')).sizeBytes, 0);
      assert.equal((await read(store, 'empty')).length, 0);
      await store.put('empty-bytes', new Uint8Array());
      assert.equal((await store.head('empty-bytes'))?.sizeBytes, 0);
    }),
  );

  it(
    'streams a file of 50 MB',
    withStore(async (store) => {
      await using directory = await temporaryDirectory();
      const content = Buffer.alloc(50_000_000, randomBytes(4_099));
      const file = join(directory.path, 'big');
      await writeFile(file, content, { mode: 0o400 });
      const put = await store.put('big', { file });
      assert.equal(put.sizeBytes, content.length);
      assert.deepEqual(await store.head('big'), put);
      const hash = createHash('sha256');
      for await (const chunk of (await store.get('big'))!.body) hash.update(chunk as Buffer);
      assert.equal(hash.digest('hex'), createHash('sha256').update(content).digest('hex'));
      const part = await store.get('big', { range: { from: 49_999_990 } });
      assert.deepEqual(await bytesOf(part?.body), content.subarray(-10));
    }),
  );

  it(
    'gives ranges with both ends inclusive',
    withStore(async (store) => {
      await store.put('key', '0123456789');
      const range = async (from: number, to?: number): Promise<string> => {
        const got = await store.get('key', { range: to === undefined ? { from } : { from, to } });
        return (await bytesOf(got?.body)).toString();
      };
      assert.equal(await range(0, 0), '0');
      assert.equal(await range(2, 4), '234');
      assert.equal(await range(7), '789');
      assert.equal(await range(7, 100), '789');
      assert.equal(await range(10), '', 'nothing is behind the end');
    }),
  );

  it(
    'says NOT_FOUND',
    withStore(async (store) => {
      await assert.rejects(store.get('no/such'), (error) => isCode(error, 'NOT_FOUND'));
      assert.equal(await store.head('no/such'), undefined);
      await store.put('file', 'x');
      await assert.rejects(store.get('file/below'), (error) => isCode(error, 'NOT_FOUND'));
    }),
  );

  it(
    'removes, also what is not there',
    withStore(async (store) => {
      await store.put('a/b/c', 'x');
      await store.put('a/b/d', 'x');
      await store.remove(['a/b/c', 'never/was', 'a/b']);
      await store.remove(['a/b/c']);
      await store.remove([]);
      assert.deepEqual(await keys(store, ''), ['a/b/d']);
      await store.remove(['a/b/d']);
      await store.put('a/b/c', 'again');
      assert.equal((await read(store, 'a/b/c')).toString(), 'again');
    }),
  );

  it(
    'puts and removes side by side in one directory',
    withStore(async (store) => {
      await Promise.all(
        Array.from({ length: 40 }, async (_, n) => {
          for (let round = 0; round < 5; round += 1) {
            await store.put(`busy/${n % 3}/${n}`, 'x');
            await store.remove([`busy/${n % 3}/${n}`]);
          }
          await store.put(`busy/${n % 3}/${n}`, 'last');
        }),
      );
      assert.equal((await keys(store, 'busy/')).length, 40);
    }),
  );

  it(
    'presigns, or says that it cannot',
    withStore(async (store) => {
      const url = await store.presign('get', 'key', 60_000);
      assert.equal(typeof url, store.capabilities.presign ? 'string' : 'undefined');
    }),
  );
}

function conditionCases(withStore: WithStore): void {
  it(
    'answers undefined when the ETag is the one asked not to match',
    withStore(async (store) => {
      for (const size of [0, 10, 1_000_000]) {
        const { etag } = await store.put('key', Buffer.alloc(size, 'x'));
        assert.equal(await store.get('key', { ifNoneMatch: etag }), undefined);
        const got = await store.get('key', { ifNoneMatch: 'another' });
        assert.equal((await bytesOf(got?.body)).length, size);
        await store.put('key', Buffer.alloc(size, 'y'));
        if (size > 0) assert.notEqual(await store.get('key', { ifNoneMatch: etag }).then(drop), undefined);
      }
    }),
  );

  it(
    'lets exactly one of twenty put if absent',
    withStore(async (store) => {
      if (!store.capabilities.putIfAbsent) return;
      const bodies = Array.from({ length: 20 }, (_, n) => `writer ${n}`);
      const results = await Promise.allSettled(
        bodies.map((body) => store.put('claims/x', body, { ifAbsent: true })),
      );
      const winners = bodies.filter((_, n) => results[n]?.status === 'fulfilled');
      assert.equal(winners.length, 1);
      assert.equal((await read(store, 'claims/x')).toString(), winners[0]);
      const losses = results.filter((result) => result.status === 'rejected');
      assert.ok(losses.every(({ reason }) => isCode(reason, 'PRECONDITION_FAILED')));
    }),
  );
}

function listCases(withStore: WithStore): void {
  it(
    'lists in byte order, strictly after, 1,000 at a time',
    withStore(async (store) => {
      const all = Array.from({ length: 1_205 }, (_, n) => `page/${String(n).padStart(5, '0')}`);
      await inBatches(all, (key) => store.put(key, 'x'));
      await store.put('pagf', 'x');
      await store.put('pag', 'x');
      const first = await keys(store, 'page/');
      assert.deepEqual(first, all.slice(0, 1_000));
      assert.deepEqual(await keys(store, 'page/', first.at(-1)), all.slice(1_000));
      assert.deepEqual(await keys(store, 'page/', all.at(-1)), []);
      assert.deepEqual(await keys(store, 'page/0100', 'page/01003'), all.slice(1_004, 1_010));
      assert.deepEqual(await keys(store, 'page/', 'a'), first, 'after may be before the prefix');
      assert.deepEqual(await keys(store, 'page/', 'z'), [], 'or behind it');
      assert.deepEqual(await keys(store, 'none/'), []);
    }),
  );

  it(
    'tells size and ETag as head does',
    withStore(async (store) => {
      await store.put('a/small', 'x');
      await store.put('a/large', Buffer.alloc(200_000, 'x'));
      assert.deepEqual(await store.list('a/'), [await store.head('a/large'), await store.head('a/small')]);
    }),
  );

  it(
    'keeps strange keys apart and in byte order',
    withStore(async (store) => {
      await checkKeys(store, STRANGE_KEYS);
    }),
  );
}

/** Puts an object at each key, lists them with every prefix and `after` among them, and removes them. */
export async function checkKeys(store: ObjectStore, strange: readonly string[]): Promise<void> {
  const sorted = [...strange].sort(inByteOrder);
  for (const key of strange) await store.put(key, `at ${key}`);
  for (const key of strange) assert.equal((await read(store, key)).toString(), `at ${key}`);
  assert.deepEqual(await keys(store, ''), sorted);
  const prefixes = new Set(
    strange.flatMap((key) => [key, key.slice(0, 1), key.slice(0, key.lastIndexOf('/') + 1)]),
  );
  for (const prefix of [...prefixes].filter((text) => text.isWellFormed())) {
    for (const after of ['', ...strange]) {
      const expected = sorted.filter((key) => key.startsWith(prefix) && inByteOrder(key, after) > 0);
      assert.deepEqual(await keys(store, prefix, after), expected, `prefix "${prefix}" after "${after}"`);
    }
  }
  await store.remove(strange);
  assert.deepEqual(await keys(store, ''), []);
}

function processCases(withStore: WithStore): void {
  it(
    'never shows a part of an object whose writer is killed',
    withStore(async (store, { url }) => {
      for (const size of [1_000, 3_000_000]) {
        for (let round = 0; round < 4; round += 1) {
          const child = await startChild(CHILD, [url, 'torn', String(size)]);
          const enough = child.nextLine((line) => Number(line) >= 3 + round * 3);
          let ended = false;
          void enough.then(() => (ended = true));
          do await checkWhole(store, size);
          while (!isTrue(ended));
          await child.kill();
          await checkWhole(store, size);
          assert.deepEqual(await keys(store, ''), ['torn']);
        }
      }
    }),
  );
}

const isTrue = (value: boolean): boolean => value;

/** The object, where there is one, is `size` times the same byte. */
async function checkWhole(store: ObjectStore, size: number): Promise<void> {
  const found = await store.head('torn');
  if (found === undefined) return;
  const content = await read(store, 'torn');
  assert.ok([1_000, 3_000_000, size].includes(content.length), `${content.length} bytes`);
  assert.ok(content.equals(Buffer.alloc(content.length, content[0])), 'of one writer');
}

const inByteOrder = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const keys = async (store: ObjectStore, prefix: string, after?: string): Promise<string[]> =>
  (await store.list(prefix, after)).map((info) => info.key);

const bytesOf = (body: Readable | undefined): Promise<Buffer> => {
  assert.ok(body !== undefined);
  return buffer(body);
};

const read = async (store: ObjectStore, key: string): Promise<Buffer> =>
  bytesOf((await store.get(key))?.body);

function drop(object: { body: Readable } | undefined): unknown {
  object?.body.destroy();
  return object;
}

async function inBatches(all: readonly string[], call: (key: string) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < all.length; at += 100) await Promise.all(all.slice(at, at + 100).map(call));
}
