import type { Manager } from '../manage.ts';
import type { Meter } from '../meter.ts';
import type { ObjectStore, Queue } from '../ports.ts';
import type { CloudUrl } from '../url.ts';
import { accessOf } from './credentials.ts';

/** Queues and blobs are loaded one without the other: an agent whose results go to S3 needs no blobs. */
export async function openAzureQueue(url: CloudUrl, meter: Meter): Promise<Queue> {
  const { AzureQueue, queueClient } = await import('./queue.ts');
  return new AzureQueue(queueClient(url, url.path, await accessOf(url), meter));
}

export async function openBlobs(url: CloudUrl, meter: Meter): Promise<ObjectStore> {
  const { openBlobStore } = await import('./store.ts');
  return openBlobStore(url, await accessOf(url), meter);
}

export async function openAzureManager(url: CloudUrl): Promise<Manager> {
  const { openManagerOf } = await import('./manage.ts');
  return openManagerOf(url, await accessOf(url));
}
