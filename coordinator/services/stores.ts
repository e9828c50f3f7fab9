import { ClobiError } from '../../shared/errors.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import type { Context } from './context.ts';

type Stores = Pick<Context, 'config' | 'store' | 'pools'>;

/** A store with a name that no other has: its URL. */
export interface NamedStore {
  url: string;
  store: ObjectStore;
}

/** Where a pool's runs leave results, logs and segments. Throws `CONFLICT` when the pool is configured no more. */
export function storeOfPool(at: Stores, pool: string): NamedStore {
  // Runs of before pools had stores of their own name none.
  if (pool === '') return primaryStore(at);
  const found = at.pools.find(({ name }) => name === pool);
  if (found !== undefined) return { url: found.config.store, store: found.store };
  throw new ClobiError(
    'CONFLICT',
    `What ran in pool "${pool}" is in that pool's store, and the pool is configured no more. Put it back into clobi.yaml to get at it.`,
    { context: { pool } },
  );
}

/** Specs, inputs, verdicts. */
export const primaryStore = ({ config, store }: Pick<Stores, 'config' | 'store'>): NamedStore => ({
  url: config.store,
  store,
});

/** Every store once, the primary one first. */
export function allStores(at: Stores): NamedStore[] {
  const byUrl = new Map([[at.config.store, at.store]]);
  for (const { config, store } of at.pools) if (!byUrl.has(config.store)) byUrl.set(config.store, store);
  return [...byUrl].map(([url, store]) => ({ url, store }));
}
