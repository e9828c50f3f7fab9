import assert from 'node:assert/strict';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { isCode } from '../../errors.ts';
import type { ObjectStore } from '../ports.ts';

/** What a store must do, tried in an empty one: by the conformance suites, and below a prefix of a user's own store. */
export interface StoreProbe {
  name: string;
  /** Rejects with what is not so. */
  run: (store: ObjectStore) => Promise<void>;
}

const MINUTE = 60_000;
/** Azure takes a PUT only with it; others pass over it. */
const PUT_HEADERS = { 'x-ms-blob-type': 'BlockBlob' };

export const keys = async (store: ObjectStore, prefix: string, after?: string): Promise<string[]> =>
  (await store.list(prefix, after)).map((info) => info.key);

export const bytesOf = (body: Readable | undefined): Promise<Buffer> => {
  assert.ok(body !== undefined);
  return buffer(body);
};

export const read = async (store: ObjectStore, key: string): Promise<Buffer> =>
  bytesOf((await store.get(key))?.body);

function drop(object: { body: Readable } | undefined): unknown {
  object?.body.destroy();
  return object;
}

export const STORE_PROBES: readonly StoreProbe[] = [
  {
    name: 'brings back what was put',
    run: async (store) => {
      const put = await store.put('dir/key', 'héllo');
      assert.deepEqual([put.key, put.sizeBytes], ['dir/key', 6]);
      const got = await store.get('dir/key');
      assert.deepEqual([got?.key, got?.sizeBytes, got?.etag], ['dir/key', 6, put.etag]);
      assert.equal((await bytesOf(got?.body)).toString(), 'héllo');
      assert.deepEqual(await store.head('dir/key'), put);
      await store.put('binary', Uint8Array.from([0, 255, 10, 13]));
      assert.deepEqual([...(await read(store, 'binary'))], [0, 255, 10, 13]);
    },
  },
  {
    name: 'replaces an object, and its ETag with it',
    run: async (store) => {
      const first = await store.put('key', 'one');
      const second = await store.put('key', 'two');
      assert.notEqual(first.etag, second.etag);
      assert.equal((await read(store, 'key')).toString(), 'two');
    },
  },
  {
    name: 'holds empty objects',
    run: async (store) => {
      assert.equal((await store.put('empty', '')).sizeBytes, 0);
      assert.equal((await read(store, 'empty')).length, 0);
      await store.put('empty-bytes', new Uint8Array());
      assert.equal((await store.head('empty-bytes'))?.sizeBytes, 0);
    },
  },
  {
    name: 'gives ranges with both ends inclusive',
    run: async (store) => {
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
    },
  },
  {
    name: 'says NOT_FOUND',
    run: async (store) => {
      await assert.rejects(store.get('no/such'), (error) => isCode(error, 'NOT_FOUND'));
      assert.equal(await store.head('no/such'), undefined);
      await store.put('file', 'x');
      await assert.rejects(store.get('file/below'), (error) => isCode(error, 'NOT_FOUND'));
    },
  },
  {
    name: 'removes, also what is not there',
    run: async (store) => {
      await store.put('a/b/c', 'x');
      await store.put('a/b/d', 'x');
      await store.remove(['a/b/c', 'never/was', 'a/b']);
      await store.remove(['a/b/c']);
      await store.remove([]);
      assert.deepEqual(await keys(store, ''), ['a/b/d']);
      await store.remove(['a/b/d']);
      await store.put('a/b/c', 'again');
      assert.equal((await read(store, 'a/b/c')).toString(), 'again');
    },
  },
  {
    name: 'answers undefined when the ETag is the one asked not to match',
    run: async (store) => {
      for (const size of [0, 10, 1_000_000]) {
        const { etag } = await store.put('key', Buffer.alloc(size, 'x'));
        assert.equal(await store.get('key', { ifNoneMatch: etag }), undefined);
        const got = await store.get('key', { ifNoneMatch: 'another' });
        assert.equal((await bytesOf(got?.body)).length, size);
        await store.put('key', Buffer.alloc(size, 'y'));
        if (size > 0) assert.notEqual(await store.get('key', { ifNoneMatch: etag }).then(drop), undefined);
      }
    },
  },
  {
    name: 'tells size and ETag as head does',
    run: async (store) => {
      await store.put('a/small', 'x');
      await store.put('a/large', Buffer.alloc(200_000, 'x'));
      assert.deepEqual(await store.list('a/'), [await store.head('a/large'), await store.head('a/small')]);
    },
  },
  {
    name: 'signs URLs to read and to write one object',
    run: async (store) => {
      if (!store.capabilities.presign) return;
      const key = 'signed/ü #?%+ &.txt';
      const put = (await store.presign('put', key, MINUTE)) ?? '';
      const sent = await fetch(put, { method: 'PUT', body: 'héllo', headers: PUT_HEADERS });
      assert.ok(sent.ok, `${sent.status}: ${await sent.text()}`);
      assert.equal((await read(store, key)).toString(), 'héllo');
      const got = await fetch((await store.presign('get', key, MINUTE)) ?? '');
      assert.equal(await got.text(), 'héllo');
    },
  },
];
