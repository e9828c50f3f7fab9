import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { appendFile, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Client } from '../../../../coordinator/cli/client.ts';
import { type Upload, uploadInputs } from '../../../../coordinator/cli/uploads.ts';
import { ClobiError, isCode } from '../../../../shared/errors.ts';
import type { DirectUploads } from '../../../../shared/providers/direct.ts';
import { openManager, openStore } from '../../../../shared/providers/open.ts';
import type { ObjectStore } from '../../../../shared/providers/ports.ts';
import { inputKey } from '../../../../shared/wire/keys.ts';
import { startAzurite } from '../../../../infra/emulators/azurite.ts';
import { missingRadosgw, type Radosgw, startRadosgw } from '../../../../infra/emulators/radosgw.ts';
import { temporaryDirectory } from '../../../helpers/temporary.ts';
import { type Api, openApi, TOKEN } from '../http/rig.ts';
import { keptOutput } from './rig.ts';

const MIB = 1024 * 1024;

/** Emulated clouds, each with a bucket or container of its own. */
const skip = missingRadosgw();
const [azurite, files] = await Promise.all([startAzurite(), temporaryDirectory()]);
const radosgw: Radosgw | undefined = skip === undefined ? await startRadosgw() : undefined;
Object.assign(process.env, azurite.env, radosgw?.env);
after(async () => {
  await Promise.all([azurite[Symbol.asyncDispose](), files[Symbol.asyncDispose]()]);
  await radosgw?.[Symbol.asyncDispose]();
});

async function made(url: string): Promise<ObjectStore> {
  const manager = await openManager(url);
  await manager?.mend(await manager.inspect());
  return openStore(url);
}

async function fileOf(name: string, sizeBytes: number): Promise<Upload> {
  const file = join(files.path, name);
  const handle = await open(file, 'w');
  const hash = createHash('sha256');
  for (let left = sizeBytes; left > 0; left -= MIB) {
    const chunk = randomBytes(Math.min(MIB, left));
    hash.update(chunk);
    await handle.write(chunk);
  }
  await handle.close();
  return { file, sizeBytes, sha256: hash.digest('hex') };
}

async function hashOf(store: ObjectStore, key: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of (await store.get(key))!.body) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** What was asked of the API, and what a test makes fail. */
class Watched extends Client {
  readonly parts: number[] = [];
  readonly paths: string[] = [];
  #mayFail: (part: number) => boolean;

  constructor(api: Api, mayFail: (part: number) => boolean = () => false) {
    super({ home: '/nowhere', findEndpoint: () => ({ url: api.url, token: TOKEN }) });
    this.#mayFail = mayFail;
  }

  override async open(call: Parameters<Client['open']>[0]): ReturnType<Client['open']> {
    this.paths.push(`${call.method} ${call.path.replace(/[0-9a-f]{64}/, ':sha256')}`);
    if (call.path.endsWith('/sign')) {
      const part = (call.json as { parts: { number: number }[] }).parts[0]!.number;
      if (this.#mayFail(part)) throw new ClobiError('CONFLICT', 'interrupted');
      this.parts.push(part);
    }
    return super.open(call);
  }
}

const bring = (client: Client, ...uploads: Upload[]): Promise<void> =>
  uploadInputs(client, uploads, keptOutput({ quiet: true }).output);

for (const [name, url, reason] of [
  ['Azure (emulated)', azurite.storeUrl('uploads', 'some/prefix'), undefined],
  ['S3 (Ceph)', radosgw?.storeUrl('uploads', 'some/prefix') ?? '', skip],
] as const) {
  describe(`inputs go straight to the store: ${name}`, { skip: reason ?? false }, () => {
    test('in parts, whatever the file is called; small ones through the coordinator', async () => {
      const store = await made(url);
      await using api = await openApi({ store });
      const large = await fileOf('a b ü #?%+&.bin', 21 * MIB + 5);
      const [small, empty] = [await fileOf('small', 10), await fileOf('empty', 0)];
      const client = new Watched(api);
      await bring(client, large, small, empty);
      for (const upload of [large, small, empty])
        assert.equal(await hashOf(store, inputKey(upload.sha256)), upload.sha256);
      assert.equal(client.paths.filter((path) => path === 'PUT /v1/inputs/:sha256').length, 2);
      assert.ok(client.parts.length >= 2, 'in parts');
      client.close();
    });

    test('one that was interrupted goes on with the parts that are not there', async () => {
      const store = await made(url);
      await using api = await openApi({ store });
      const upload = await fileOf('interrupted', 40 * MIB);
      const first = new Watched(api, (part) => part > 2);
      await assert.rejects(bring(first, upload), /interrupted/);
      assert.equal(await store.head(inputKey(upload.sha256)), undefined, 'half an input is none');
      const second = new Watched(api);
      await bring(second, upload);
      assert.deepEqual(
        first.parts.filter((part) => second.parts.includes(part)),
        [],
      );
      assert.ok(first.parts.length > 0);
      assert.equal(await hashOf(store, inputKey(upload.sha256)), upload.sha256);
      first.close();
      second.close();
    });

    test('a file that has changed since it was hashed is refused', async () => {
      const store = await made(url);
      await using api = await openApi({ store });
      const upload = await fileOf('changed', 2 * MIB);
      await appendFile(upload.file, 'x');
      await writeFile(upload.file, randomBytes(2 * MIB));
      const client = new Watched(api);
      await assert.rejects(bring(client, upload), (error) => isCode(error, 'CONFLICT'));
      assert.equal(await store.head(inputKey(upload.sha256)), undefined);
      client.close();
    });
  });
}

test('a store that the coordinator reaches and we do not gets its inputs through the coordinator', async () => {
  const store = await made(azurite.storeUrl('unreachable'));
  const direct: DirectUploads = {
    begin: (...call) => store.direct!.begin(...call),
    finish: (...call) => store.direct!.finish(...call),
    abandon: (...call) => store.direct!.abandon(...call),
    sign: async (...call) =>
      (await store.direct!.sign(...call)).map((signed) => ({ ...signed, url: 'http://127.0.0.1:1/x' })),
  };
  const behind: ObjectStore = Object.assign(Object.create(store) as ObjectStore, {
    direct,
    put: store.put.bind(store),
    head: store.head.bind(store),
    capabilities: store.capabilities,
  });
  await using api = await openApi({ store: behind });
  const upload = await fileOf('behind', 2 * MIB);
  const client = new Watched(api);
  await bring(client, upload);
  assert.equal(await hashOf(store, inputKey(upload.sha256)), upload.sha256);
  assert.ok(client.paths.includes('PUT /v1/inputs/:sha256'));
  client.close();
});
