import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { InputCache } from '../../../../agent/steps/input-cache.ts';
import { openStore } from '../../../../shared/providers/open.ts';
import type { ObjectStore } from '../../../../shared/providers/ports.ts';

describe('input cache', () => {
  let directory: string;
  let store: ObjectStore;
  let gets: number;
  const cached = (): string => join(directory, 'cache');
  const open = (maxBytes?: number): Promise<InputCache> =>
    InputCache.open({ directory: cached(), store, ...(maxBytes === undefined ? {} : { maxBytes }) });

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'clobi-cache-'));
    gets = 0;
    store = counting(await openStore(`file:${join(directory, 'store')}`));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const counting = (plain: ObjectStore): ObjectStore =>
    new Proxy(plain, {
      get: (target, name) => {
        if (name === 'get') gets += 1;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });

  async function put(body: string): Promise<{ sha256: string; sizeBytes: number; key: string }> {
    const sha256 = createHash('sha256').update(body).digest('hex');
    await store.put(`inputs/${sha256}`, body);
    return { sha256, sizeBytes: body.length, key: `inputs/${sha256}` };
  }

  const read = (file: string): Promise<string> => readFile(file, 'utf8');

  it('fetches a content once for all who ask at a time, and never again', async () => {
    const cache = await open();
    const content = await put('body');
    assert.deepEqual(await Promise.all([1, 2, 3].map(() => cache.use(content, read))), [
      'body',
      'body',
      'body',
    ]);
    assert.equal(await (await open()).use(content, read), 'body');
    assert.equal(gets, 1);
  });

  it('fetches again what is gone from the disk', async () => {
    const cache = await open();
    const content = await put('body');
    await cache.use(content, read);
    await rm(join(cached(), content.sha256));
    assert.equal(await cache.use(content, read), 'body');
  });

  it('keeps nothing that does not have the right hash, and no unfinished file of a former life', async () => {
    const content = { ...(await put('body')), sha256: 'a'.repeat(64) };
    await assert.rejects((await open()).use(content, read), { code: 'CONFLICT' });
    await writeFile(join(cached(), 'incoming-1'), 'half');
    await open();
    assert.deepEqual(await readdir(cached()), []);
  });

  it('removes what is longest unused beyond its bound, and nothing in use', async () => {
    const cache = await open(20);
    const [a, b, c] = [await put('a'.repeat(10)), await put('b'.repeat(10)), await put('c'.repeat(10))];
    await cache.use(a, async (file) => {
      await cache.use(b, read);
      await cache.use(c, read);
      assert.equal(await read(file), 'a'.repeat(10));
    });
    assert.deepEqual((await readdir(cached())).sort(), [a.sha256, c.sha256].sort());
  });

  it('lets one that waits give up without disturbing the others', async () => {
    const cache = await open();
    const content = await put('body');
    const cancel = new AbortController();
    const first = cache.use(content, read, cancel.signal);
    const second = cache.use(content, read);
    cancel.abort(new Error('given up'));
    await assert.rejects(first, /given up/);
    assert.equal(await second, 'body');
  });
});
