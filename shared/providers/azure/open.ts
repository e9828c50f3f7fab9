import { ClobiError } from '../../errors.ts';
import type { Manager } from '../manage.ts';
import type { Meter } from '../meter.ts';
import type { ObjectStore, Queue } from '../ports.ts';
import type { CloudUrl } from '../url.ts';

const missing = (): ClobiError => new ClobiError('INVALID_CONFIG', 'This version has no Azure provider.');

export function openAzureQueue(_url: CloudUrl, _meter: Meter): Queue {
  throw missing();
}

export function openBlobs(_url: CloudUrl, _meter: Meter): ObjectStore {
  throw missing();
}

export function openAzureManager(_url: CloudUrl): Manager {
  throw missing();
}
