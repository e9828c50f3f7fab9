import { randomUUID } from 'node:crypto';
import { after } from 'node:test';
import { openManager, openStore } from '../../shared/providers/open.ts';
import type { Fauxqs } from '../../infra/emulators/fauxqs.ts';
import type { Radosgw } from '../../infra/emulators/radosgw.ts';
import type { StoreFixture } from './store-suite.ts';

/** Each fixture is a new prefix of one bucket, which is made when it is first needed. The server ends with the tests. */
export function storesOf(server: Fauxqs | Radosgw): () => Promise<StoreFixture> {
  Object.assign(process.env, server.env);
  after(() => server[Symbol.asyncDispose]());
  let made: Promise<void> | undefined;
  const makeBucket = async (): Promise<void> => {
    const manager = await openManager(server.storeUrl('clobi'));
    await manager?.mend(await manager.inspect());
  };
  return async () => {
    await (made ??= makeBucket());
    const url = server.storeUrl('clobi', `some prefix/${randomUUID()}`);
    return { url, open: () => openStore(url), dispose: async () => undefined };
  };
}
