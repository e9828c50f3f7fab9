import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { startChild } from '../helpers/child.ts';
import { inByteOrder, keys, read, inBatches, type StoreTraits, type WithStore } from './store-kit.ts';

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

export function listCases(
  withStore: WithStore,
  { ownOrderBeyondBmp = false, localeOrder = false }: StoreTraits,
): void {
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
    'keeps strange keys apart and in byte order',
    withStore(async (store) => {
      const fit = STRANGE_KEYS.filter((key) => !ownOrderBeyondBmp || key !== 'z😀');
      await (localeOrder ? checkApart(store, fit) : checkKeys(store, fit));
    }),
  );
}

/** Each key is another object, whatever the order they are listed in. */
async function checkApart(store: ObjectStore, strange: readonly string[]): Promise<void> {
  for (const key of strange) await store.put(key, `at ${key}`);
  for (const key of strange) assert.equal((await read(store, key)).toString(), `at ${key}`);
  assert.deepEqual((await keys(store, '')).sort(inByteOrder), [...strange].sort(inByteOrder));
  await store.remove(strange);
  assert.deepEqual(await keys(store, ''), []);
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

export function processCases(withStore: WithStore): void {
  it(
    'never shows a part of an object whose writer is killed',
    withStore(async (store, { url }) => {
      for (const size of [1_000, 3_000_000]) {
        for (let round = 0; round < 4; round += 1) {
          await using child = await startChild(CHILD, [url, 'torn', String(size)]);
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
