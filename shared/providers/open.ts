import { ClobiError } from '../errors.ts';
import type { ObjectStore, Queue } from './ports.ts';

/**
 * URL → provider. `local-queue:/path/to/queue.sqlite`, `file:/path/to/store`. Every provider's code, and with it any SDK,
 * is loaded only when a URL of its kind is opened.
 */
export async function openQueue(url: string): Promise<Queue> {
  if (url.startsWith('local-queue:')) {
    const { LocalQueue } = await import('./local/queue.ts');
    return LocalQueue.open(url.slice('local-queue:'.length));
  }
  throw new ClobiError('INVALID_CONFIG', `Unknown queue URL "${url}". Known kinds: local-queue:PATH.`);
}

export async function openStore(url: string): Promise<ObjectStore> {
  if (url.startsWith('file:')) {
    const { FileStore } = await import('./local/store.ts');
    return FileStore.open(url.slice('file:'.length));
  }
  throw new ClobiError('INVALID_CONFIG', `Unknown store URL "${url}". Known kinds: file:PATH.`);
}
