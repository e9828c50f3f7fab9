import { randomUUID } from 'node:crypto';
import { after } from 'node:test';
import { openManager, openStore } from '../../shared/providers/open.ts';
import { startAzurite } from '../../infra/emulators/azurite.ts';
import { type StoreFixture, storeConformance } from './store-suite.ts';

const azurite = await startAzurite();
Object.assign(process.env, azurite.env);
after(() => azurite[Symbol.asyncDispose]());

storeConformance('azure', makeStore, { otherProcesses: true, ownOrderBeyondBmp: true });

async function makeStore(): Promise<StoreFixture> {
  const url = azurite.storeUrl(`c-${randomUUID()}`, 'some/prefix');
  const manager = await openManager(url);
  await manager?.mend(await manager.inspect());
  return { url, open: () => openStore(url), dispose: async () => undefined };
}
