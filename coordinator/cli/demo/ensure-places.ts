import { openManager } from '../../../shared/providers/open.ts';

/** Makes what is missing of these queues and stores, as `clobi pool ensure` does. */
export async function ensurePlaces(urls: readonly string[]): Promise<void> {
  for (const url of urls) {
    const manager = await openManager(url);
    await manager?.mend((await manager.inspect()).filter(({ mendable }) => mendable));
  }
}
