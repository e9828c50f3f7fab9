import { ClobiError } from '../errors.ts';
import type { Manager } from './manage.ts';
import { type Meter, noMeter } from './meter.ts';
import type { ObjectStore, Queue } from './ports.ts';
import { withQueueOutages, withStoreOutages } from './outage.ts';
import { CLOUD_KINDS, parseCloudUrl } from './url.ts';

export interface OpenOptions {
  /** Counts every request that goes out. */
  meter?: Meter;
}

/**
 * URL (see url.ts) → provider. Every provider's code, and with it any SDK, is loaded only when a URL of its kind is
 * opened. Opening asks no server anything.
 */
export async function openQueue(url: string, { meter = noMeter }: OpenOptions = {}): Promise<Queue> {
  return withQueueOutages(url, await openQueueOf(url, meter));
}

export async function openStore(url: string, { meter = noMeter }: OpenOptions = {}): Promise<ObjectStore> {
  return withStoreOutages(url, await openStoreOf(url, meter));
}

async function openQueueOf(url: string, meter: Meter): Promise<Queue> {
  switch (schemeOf(url)) {
    case 'local-queue': {
      const { LocalQueue } = await import('./local/queue.ts');
      return LocalQueue.open(url.slice('local-queue:'.length));
    }
    case 'sqs': {
      const { openSqs } = await import('./aws/open.ts');
      return openSqs(parseCloudUrl(url), meter);
    }
    case 'azure-queue': {
      const { openAzureQueue } = await import('./azure/open.ts');
      return openAzureQueue(parseCloudUrl(url), meter);
    }
    default:
      throw unknownUrl('queue', url, 'local-queue:PATH, sqs://REGION/QUEUE, azure-queue://ACCOUNT/QUEUE');
  }
}

async function openStoreOf(url: string, meter: Meter): Promise<ObjectStore> {
  switch (schemeOf(url)) {
    case 'file': {
      const { FileStore } = await import('./local/store.ts');
      return FileStore.open(url.slice('file:'.length));
    }
    case 's3': {
      const { openS3 } = await import('./aws/open.ts');
      return openS3(parseCloudUrl(url), meter);
    }
    case 'azblob': {
      const { openBlobs } = await import('./azure/open.ts');
      return openBlobs(parseCloudUrl(url), meter);
    }
    default:
      throw unknownUrl('store', url, 'file:PATH, s3://BUCKET/PREFIX, azblob://ACCOUNT/CONTAINER/PREFIX');
  }
}

/** The settings of a cloud's queue or store; undefined for what needs none (local files). */
export async function openManager(url: string): Promise<Manager | undefined> {
  const kind = CLOUD_KINDS.find((known) => known === schemeOf(url));
  switch (kind) {
    case undefined:
      return undefined;
    case 'sqs':
    case 's3':
      return (await import('./aws/open.ts')).openAwsManager(parseCloudUrl(url));
    case 'azure-queue':
    case 'azblob':
      return (await import('./azure/open.ts')).openAzureManager(parseCloudUrl(url));
  }
}

const schemeOf = (url: string): string => url.slice(0, Math.max(0, url.indexOf(':')));

const unknownUrl = (what: string, url: string, known: string): ClobiError =>
  new ClobiError('INVALID_CONFIG', `Unknown ${what} URL "${url}". Known kinds: ${known}.`);
