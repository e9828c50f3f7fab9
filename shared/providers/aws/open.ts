import type { Manager } from '../manage.ts';
import type { Meter } from '../meter.ts';
import type { ObjectStore, Queue } from '../ports.ts';
import type { CloudUrl } from '../url.ts';

// Who opens a store has no need of the queue's SDK, nor the other way round.

export async function openSqs(url: CloudUrl, meter: Meter): Promise<Queue> {
  const { SqsQueue } = await import('./queue.ts');
  return SqsQueue.open(url, meter);
}

export async function openS3(url: CloudUrl, meter: Meter): Promise<ObjectStore> {
  const { S3Store } = await import('./store.ts');
  return S3Store.open(url, meter);
}

export async function openAwsManager(url: CloudUrl): Promise<Manager> {
  if (url.kind === 'sqs') return (await import('./manage-queue.ts')).SqsManager.open(url);
  return (await import('./manage-bucket.ts')).BucketManager.open(url);
}
