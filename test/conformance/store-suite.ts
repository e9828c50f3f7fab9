import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isCode } from '../../shared/errors.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import {
  keys,
  bytesOf,
  read,
  drop,
  type StoreTraits,
  type StoreFixture,
  type WithStore,
} from './store-kit.ts';
import { signedCases } from './store-direct.ts';
import { listCases, processCases } from './store-lists.ts';

export type { StoreFixture, StoreTraits } from './store-kit.ts';

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

  describe(`store: ${name}`, { timeout: 240_000 }, () => {
    objectCases(withStore);
    conditionCases(withStore, traits);
    listCases(withStore, traits);
    signedCases(withStore, traits);
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

function conditionCases(withStore: WithStore, { putsIfAbsent }: StoreTraits): void {
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
      if (!(putsIfAbsent ?? store.capabilities.putIfAbsent)) return;
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
