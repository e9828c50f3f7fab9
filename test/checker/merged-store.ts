import { isCode } from '../../shared/errors.ts';
import type { ObjectInfo, ObjectStore } from '../../shared/providers/ports.ts';

/** What the checker needs of a store. */
export type ReadableStore = Pick<ObjectStore, 'list' | 'get'>;

/** Several stores as one: a key is in at most one of them, but for contents that are the same everywhere. */
export function mergedStore(stores: readonly ReadableStore[]): ReadableStore {
  return {
    list: async (prefix, after) => {
      const pages = await Promise.all(stores.map((store) => store.list(prefix, after)));
      return merge(pages);
    },
    get: async (key, options) => {
      for (const store of stores.slice(0, -1)) {
        try {
          return await store.get(key, options);
        } catch (error) {
          if (!isCode(error, 'NOT_FOUND')) throw error;
        }
      }
      return stores.at(-1)?.get(key, options);
    },
  };
}

/** Only up to the smallest last key: beyond it a store may have more that its page did not reach. */
function merge(pages: readonly ObjectInfo[][]): ObjectInfo[] {
  const byKey = new Map(pages.flat().map((info) => [info.key, info]));
  const all = [...byKey.values()].sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  const full = pages.filter((page) => page.length > 0).map((page) => page.at(-1)?.key ?? '');
  const last = full.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))[0];
  return last === undefined
    ? []
    : all.filter(({ key }) => Buffer.compare(Buffer.from(key), Buffer.from(last)) <= 0);
}
