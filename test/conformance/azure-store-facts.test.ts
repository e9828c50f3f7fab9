import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  ContainerClient,
  StorageSharedKeyCredential,
  generateAccountSASQueryParameters,
} from '@azure/storage-blob';
import { type ClobiError, isCode } from '../../shared/errors.ts';
import { RequestCounts } from '../../shared/providers/meter.ts';
import { openManager, openStore } from '../../shared/providers/open.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { startAzurite } from '../../infra/emulators/azurite.ts';
import { FaultProxy } from '../helpers/fault-proxy.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { keys, read } from './store-kit.ts';
import { HOSTILE_KEYS } from './store-lists.ts';

const azurite = await startAzurite();
Object.assign(process.env, azurite.env);
after(() => azurite[Symbol.asyncDispose]());
const accountKey = new StorageSharedKeyCredential(azurite.account, azurite.env['AZURE_STORAGE_KEY'] ?? '');

interface Bench {
  store: ObjectStore;
  proxy: FaultProxy;
  counts: RequestCounts;
  /** The same container, without our adapter. */
  raw: ContainerClient;
  /** Of the same store, past the proxy. */
  url: string;
}

/** A store behind a proxy, and beside it the SDK alone. */
const withBench = (test: (bench: Bench) => Promise<void>) => async (): Promise<void> => {
  await using proxy = await FaultProxy.start(azurite.endpoints.blob);
  const name = `c-${randomUUID()}`;
  const raw = new ContainerClient(`${azurite.endpoints.blob}/${name}`, accountKey);
  await raw.create();
  const counts = new RequestCounts();
  const url = `azblob://${azurite.account}/${name}/pre fix?endpoint=${proxy.url}`;
  const store = await openStore(url, { meter: counts });
  await test({ store, proxy, counts, raw, url: azurite.storeUrl(name, 'pre%20fix') });
};

describe('azure store: objects', { timeout: 400_000 }, () => {
  it(
    'keeps keys that Azure would change, each listed once',
    withBench(async ({ store }) => {
      const hard = [
        ...HOSTILE_KEYS,
        'a.',
        'a./b',
        'a.b',
        'back\\slash',
        'new\nline',
        ' spaces ',
        '00012',
        '%2E',
        '%-',
        '%41',
      ];
      for (const key of hard) await store.put(key, `at ${key}`);
      for (const key of hard) assert.equal((await read(store, key)).toString(), `at ${key}`);
      assert.deepEqual((await keys(store, '')).sort(), [...hard].sort());
      for (const prefix of ['a', 'a.', 'a/', '.', '%', '%2', '/', 'x/', 'x//'])
        assert.deepEqual(
          (await keys(store, prefix)).sort(),
          hard.filter((key) => key.startsWith(prefix)).sort(),
          `prefix ${prefix}`,
        );
      const listed = await keys(store, '');
      for (const [n, key] of listed.entries())
        assert.deepEqual(await keys(store, '', key), listed.slice(n + 1));
      await store.remove(hard);
      assert.deepEqual(await keys(store, ''), []);
    }),
  );

  it(
    'lists nobody’s blobs but its own',
    withBench(async ({ store, raw }) => {
      for (const name of ['pre fix/ours', 'pre fixed', 'other', 'pre fix/a//b', 'pre fix/x%41'])
        await raw.getBlockBlobClient(name).upload('x', 1);
      assert.deepEqual(await keys(store, ''), ['ours']);
    }),
  );

  it(
    'puts small files in one request and large ones in blocks',
    withBench(async ({ store, counts }) => {
      await using directory = await temporaryDirectory();
      const file = join(directory.path, 'file');
      await writeFile(file, Buffer.alloc(1_000));
      await store.put('small', { file });
      assert.deepEqual(counts.totals(), { 'azblob:PutBlob': 1 });
      const content = randomBytes(20_000_000);
      await writeFile(file, content);
      await store.put('large', { file }, { ifAbsent: true });
      assert.deepEqual(counts.totals(), {
        'azblob:PutBlob': 1,
        'azblob:PutBlock': 3,
        'azblob:PutBlockList': 1,
      });
      assert.ok((await read(store, 'large')).equals(content));
      await assert.rejects(store.put('large', { file }, { ifAbsent: true }), (error) =>
        isCode(error, 'PRECONDITION_FAILED'),
      );
    }),
  );

  it(
    'removes 256 in a request, and lists 1,000 in one',
    withBench(async ({ store, counts }) => {
      const present = Array.from({ length: 300 }, (_, n) => `many/${String(n).padStart(4, '0')}`);
      await Promise.all(present.map((key) => store.put(key, 'x')));
      const before = counts.totals();
      assert.deepEqual(await keys(store, 'many/', present[99]), present.slice(100));
      await store.remove([...present, ...present.map((key) => `${key}/missing`)]);
      assert.deepEqual(await keys(store, ''), []);
      const { 'azblob:BlobBatch': batches, 'azblob:ListBlobs': lists } = counts.totals();
      assert.deepEqual([batches, lists, before['azblob:ListBlobs']], [3, 2, undefined]);
    }),
  );
});

describe('azure store: lost answers', { timeout: 400_000 }, () => {
  it(
    'knows an object that it has put if absent itself',
    withBench(async ({ store, proxy }) => {
      proxy.setOnce('PUT', /claims/, { kind: 'lose-answer' });
      const put = await store.put('claims/x', 'ours', { ifAbsent: true });
      assert.deepEqual(await store.head('claims/x'), put);
      await assert.rejects(store.put('claims/x', 'ours', { ifAbsent: true }), (error) =>
        isCode(error, 'PRECONDITION_FAILED'),
      );
    }),
  );

  it(
    'finishes an upload that was finished',
    withBench(async ({ store, proxy }) => {
      const plan = await store.direct!.begin('key', 1);
      const md5 = createHash('md5').update('x').digest('base64');
      const [request] = await store.direct!.sign(plan, [{ number: 1, sha256: '', md5 }], 60_000);
      const { method, url, headers } = request!;
      assert.equal((await fetch(url, { method, headers, body: 'x' })).status, 201);
      proxy.setOnce('PUT', /comp=blocklist/, { kind: 'lose-answer' });
      await store.direct!.finish(plan);
      assert.equal((await read(store, 'key')).toString(), 'x');
    }),
  );

  it(
    'asks again on another connection when a server stops talking',
    withBench(async ({ store, proxy }) => {
      await store.put('first', 'opens the connection');
      proxy.setOnce('PUT', /key/, { kind: 'silent' });
      await store.put('key', 'content');
      assert.equal((await read(store, 'key')).toString(), 'content');
    }),
  );

  it(
    'never ends a download short',
    withBench(async ({ store, proxy }) => {
      const content = randomBytes(2_000_000);
      await store.put('key', content);
      proxy.set({ kind: 'cut', afterBytes: 100_000 });
      await assert.rejects(read(store, 'key'), (error) => isCode(error, 'UNAVAILABLE'));
      proxy.set({ kind: 'none' });
      assert.ok((await read(store, 'key')).equals(content));
    }),
  );
});

describe('azure store: rights', { timeout: 400_000 }, () => {
  const sasFor = (permissions: string, expiresMs: number): string =>
    generateAccountSASQueryParameters(
      {
        permissions: AccountSASPermissions.parse(permissions),
        services: AccountSASServices.parse('b').toString(),
        resourceTypes: AccountSASResourceTypes.parse('sco').toString(),
        expiresOn: new Date(Date.now() + expiresMs),
        version: '2022-11-02',
      },
      accountKey,
    ).toString();

  const withSas = async (
    url: string,
    sas: string,
    test: (store: ObjectStore) => Promise<void>,
  ): Promise<void> => {
    process.env['AZURE_STORAGE_SAS_TOKEN'] = sas;
    try {
      await test(await openStore(`${url}&credentials=sas`));
    } finally {
      delete process.env['AZURE_STORAGE_SAS_TOKEN'];
    }
  };

  it(
    'works by a SAS, which signs nothing itself',
    withBench(({ url }) =>
      withSas(url, sasFor('rwdlac', 60_000), async (store) => {
        await store.put('a b', 'x');
        assert.deepEqual(await keys(store, ''), ['a b']);
        assert.equal((await read(store, 'a b')).toString(), 'x');
        await store.remove(['a b', 'missing']);
        assert.equal(await store.head('a b'), undefined);
        assert.deepEqual(
          [store.capabilities.presign, store.direct, await store.presign('get', 'k', 1)],
          [false, undefined, undefined],
        );
      }),
    ),
  );

  it(
    'names the right that a SAS lacks, and one that has expired',
    withBench(async ({ url }) => {
      await withSas(url, sasFor('rl', 60_000), async (store) => {
        await assert.rejects(store.put('key', 'x'), (error: ClobiError) => {
          assert.equal(error.code, 'CLOUD_AUTH');
          assert.match(error.message, /Storage Blob Data Contributor.*containers\/blobs\/write/);
          return true;
        });
      });
      await withSas(url, sasFor('rl', -60_000), async (store) => {
        await assert.rejects(store.get('key'), (error: ClobiError) => {
          assert.equal(error.code, 'CLOUD_AUTH');
          assert.match(error.message, /has expired/);
          return true;
        });
      });
    }),
  );

  it('says what makes a container that is missing', async () => {
    const store = await openStore(azurite.storeUrl(`c-${randomUUID()}`));
    const isMissing = (error: ClobiError): boolean =>
      error.code === 'NOT_FOUND' && error.message.includes('`clobi pool ensure` makes it');
    await assert.rejects(store.put('key', 'x'), isMissing);
    await assert.rejects(store.get('key'), isMissing);
    await assert.rejects(store.head('key'), isMissing);
    await assert.rejects(store.list(''), isMissing);
  });

  it(
    'sees a container that is open to all, and closes it',
    withBench(async ({ raw, url }) => {
      await raw.setAccessPolicy('blob');
      const manager = await openManager(url);
      const found = await manager!.inspect();
      assert.deepEqual(
        found.map(({ setting, is, gravity }) => [setting, is, gravity]),
        [['public-access', 'blob', 'failed']],
      );
      await manager!.mend(found);
      await manager!.mend(found);
      assert.deepEqual(await manager!.inspect(), []);
    }),
  );

  it('makes a container that is missing, once', async () => {
    const manager = await openManager(azurite.storeUrl(`c-${randomUUID()}`));
    const found = await manager!.inspect();
    assert.deepEqual(
      found.map(({ setting }) => setting),
      ['exists'],
    );
    await Promise.all([manager!.mend(found), manager!.mend(found)]);
    assert.deepEqual(await manager!.inspect(), []);
  });
});
