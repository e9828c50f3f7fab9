import type { DirectUploads } from '../direct.ts';
import type { ObjectStore } from '../ports.ts';
import type { Guard } from './guard.ts';

/**
 * The same store behind a guard; its operations are `store.put`, `store.get`, … A put that must find nothing is not
 * repeated here: after a lost answer the second one would find what the first one put.
 */
export function guardStore(store: ObjectStore, guard: Guard): ObjectStore {
  const call = <T>(operation: string, work: () => Promise<T>): Promise<T> =>
    guard.call(`store.${operation}`, work, { again: true });
  return {
    get capabilities() {
      return store.capabilities;
    },
    get direct() {
      return store.direct === undefined ? undefined : guardDirect(store.direct, guard);
    },
    put: (key, body, options) =>
      guard.call('store.put', () => store.put(key, body, options), {
        lane: typeof body === 'object' && 'file' in body ? 'transfers' : 'calls',
        again: options?.ifAbsent !== true,
      }),
    get: (key, options) => call('get', () => store.get(key, options)),
    head: (key) => call('head', () => store.head(key)),
    list: (prefix, after) => call('list', () => store.list(prefix, after)),
    remove: (keys) => call('remove', () => store.remove(keys)),
    presign: (method, key, expiresMs) => call('presign', () => store.presign(method, key, expiresMs)),
  };
}

function guardDirect(direct: DirectUploads, guard: Guard): DirectUploads {
  const call = <T>(work: () => Promise<T>): Promise<T> => guard.call('store.upload', work, { again: true });
  return {
    begin: (key, sizeBytes) => call(() => direct.begin(key, sizeBytes)),
    sign: (plan, parts, expiresMs) => call(() => direct.sign(plan, parts, expiresMs)),
    finish: (plan) => call(() => direct.finish(plan)),
    abandon: (plan) => call(() => direct.abandon(plan)),
  };
}
