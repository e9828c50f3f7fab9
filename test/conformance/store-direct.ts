import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { it } from 'node:test';
import { isCode } from '../../shared/errors.ts';
import type { DirectUploads, SignedRequest, UploadPlan } from '../../shared/providers/direct.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { keys, read, type StoreTraits, type WithStore } from './store-kit.ts';

const GIB = 1024 ** 3;
const MINUTE = 60_000;
/** Azure takes a PUT only with it; others pass over it. */
const PUT_HEADERS = { 'x-ms-blob-type': 'BlockBlob' };

/** Signed URLs and uploads without credentials: for stores that have them. */
export function signedCases(withStore: WithStore, { signsUnchecked = false }: StoreTraits): void {
  const withSigned: WithSigned = (test) =>
    withStore(async (store) => {
      if (store.capabilities.presign) await test(store);
    });

  if (!signsUnchecked) refusalCases(withSigned);
  directCases(withStore, signsUnchecked);
}

type WithSigned = (test: (store: ObjectStore) => Promise<void>) => () => Promise<void>;

function refusalCases(withSigned: WithSigned): void {
  it(
    'signs for one object, one way, and one time',
    withSigned(async (store) => {
      await store.put('one', 'x');
      await store.put('two', 'x');
      const url = (await store.presign('get', 'one', MINUTE))!;
      const statusOf = async (changed: string, init: RequestInit = {}): Promise<number> =>
        (await fetch(changed, init)).status;
      assert.equal(await statusOf(url), 200);
      assert.equal(await statusOf(url.replace('/one?', '/two?')), 403);
      assert.equal(await statusOf(url, { method: 'PUT', body: 'y', headers: PUT_HEADERS }), 403);
      assert.equal(await statusOf(url.replace(/(sig|Signature)=[^&]*/, '$1=AAAA')), 403);
      const short = (await store.presign('get', 'one', 1_000))!;
      const deadline = Date.now() + 20_000;
      let status = 200;
      while (status === 200 && Date.now() < deadline) status = await statusOf(short);
      assert.equal(status, 403, 'it expires');
      await assert.rejects(store.presign('get', 'one', 8 * 24 * 3_600_000), (error) =>
        isCode(error, 'LIMIT_EXCEEDED'),
      );
    }),
  );
}

type WithDirect = (test: (direct: DirectUploads, store: ObjectStore) => Promise<void>) => () => Promise<void>;

function directCases(withStore: WithStore, signsUnchecked: boolean): void {
  const withDirect: WithDirect = (test) =>
    withStore(async (store) => {
      if (store.direct !== undefined) await test(store.direct, store);
    });

  if (!signsUnchecked) partCases(withDirect);
  it(
    'takes files of no and of one byte, and names that URLs find hard',
    withDirect(async (direct, store) => {
      const files = [
        ['empty', ''],
        ['a b/ü#?%+&.txt', 'x'],
      ] as const;
      // The server that takes any signature takes no empty body without a content type.
      for (const [key, content] of signsUnchecked ? files.slice(1) : files) {
        const plan = await direct.begin(key, content.length);
        const parts = partsOf(plan, Buffer.from(content));
        assert.equal(parts.length, 1);
        const [request] = await signParts(direct, plan, parts);
        await upload(request!, parts[0]!);
        await direct.finish(plan);
        assert.equal((await read(store, key)).toString(), content);
        assert.deepEqual(await keys(store, key), [key]);
      }
    }),
  );

  it(
    'plans uploads as large as they come',
    withDirect(async (direct) => {
      for (const size of [6 * GIB, 6 * GIB + 1, 300 * GIB]) {
        const { partBytes } = await direct.begin('large', size);
        assert.ok(
          partBytes * 10_000 >= size || partBytes * 50_000 >= size,
          `${size} in parts of ${partBytes}`,
        );
        assert.ok(partBytes <= 100 * 1024 ** 2, 'a part fits into memory');
      }
    }),
  );

  it(
    'forgets an upload, twice',
    withDirect(async (direct, store) => {
      const plan = await direct.begin('given-up', 10);
      await direct.abandon(plan);
      await direct.abandon(plan);
      assert.equal(await store.head('given-up'), undefined);
    }),
  );
}

function partCases(withDirect: WithDirect): void {
  it(
    'takes an upload in parts, wrong bytes refused, and goes on with it later',
    withDirect(async (direct, store) => {
      const content = randomBytes(20_000_000);
      const key = `inputs/${createHash('sha256').update(content).digest('hex')}`;
      const plan = await direct.begin(key, content.length);
      assert.deepEqual(plan.done, []);
      const parts = partsOf(plan, content);
      const [first, second, ...rest] = await signParts(direct, plan, parts);
      await upload(first!, parts[0]!);
      const wrong = Buffer.from(parts[1]!).fill(0, 0, 1);
      assert.equal((await put(second!, wrong)).status, 400);
      await assert.rejects(direct.finish(plan), (error) => isCode(error, 'CONFLICT'));
      assert.equal(await store.head(key), undefined, 'nothing is there before all of it is');

      const again = await direct.begin(key, content.length);
      assert.deepEqual(again, { ...plan, done: [1] });
      await upload(second!, parts[1]!);
      for (const [n, request] of rest.entries()) await upload(request, parts[n + 2]!);
      await direct.finish(again);
      assert.ok((await read(store, key)).equals(content));
      await direct.finish(again);
      assert.equal((await store.head(key))?.sizeBytes, content.length, 'and finishing it again');
    }),
  );
}

function partsOf({ partBytes, sizeBytes }: UploadPlan, content: Buffer): Buffer[] {
  const count = Math.max(1, Math.ceil(sizeBytes / partBytes));
  return Array.from({ length: count }, (_, n) => content.subarray(n * partBytes, (n + 1) * partBytes));
}

const signParts = (
  direct: DirectUploads,
  plan: UploadPlan,
  parts: readonly Buffer[],
): Promise<SignedRequest[]> =>
  direct.sign(
    plan,
    parts.map((part, n) => ({
      number: n + 1,
      sha256: createHash('sha256').update(part).digest('hex'),
      md5: createHash('md5').update(part).digest('base64'),
    })),
    MINUTE,
  );

const put = ({ method, url, headers }: SignedRequest, body: Buffer): Promise<Response> =>
  fetch(url, { method, headers, body: new Uint8Array(body) });

async function upload(request: SignedRequest, body: Buffer): Promise<void> {
  const response = await put(request, body);
  assert.ok(response.ok, `${response.status}: ${await response.text()}`);
}
