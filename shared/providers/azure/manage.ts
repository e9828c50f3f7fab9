import type { ContainerClient } from '@azure/storage-blob';
import type { QueueClient } from '@azure/storage-queue';
import { checkProbe, type Difference, type Manager } from '../manage.ts';
import { noMeter } from '../meter.ts';
import type { CloudUrl } from '../url.ts';
import { type Place, placeOf } from './blob-client.ts';
import type { Access } from './credentials.ts';
import { azureCodeOf, azureError } from './errors.ts';
import { AzureQueue, queueClient } from './queue.ts';
import { askedOfBlob, askedOfQueue } from './rights.ts';

export function openManagerOf(url: CloudUrl, access: Access): Manager {
  if (url.kind === 'azblob') return new ContainerManager(placeOf(url, access, noMeter));
  // Azure has no dead letters of its own: a pool's are moved to a queue beside the one of its units.
  const names = [url.path, ...(url.path.endsWith('-units') ? [url.path.replace(/units$/, 'dead')] : [])];
  return new QueueManager(names.map((name) => queueClient(url, name, access, noMeter)));
}

/** Messages say themselves that they never expire, and Azure encrypts all that it stores: there is little to set at a queue. */
class QueueManager implements Manager {
  readonly #queues: readonly QueueClient[];

  constructor(queues: readonly QueueClient[]) {
    this.#queues = queues;
  }

  async inspect(): Promise<Difference[]> {
    return (await Promise.all(this.#queues.map(inspectQueue))).flat();
  }

  async mend(differences: readonly Difference[]): Promise<void> {
    const missing = this.#queues.filter((queue) => isAsked(differences, `queue ${queue.name}`, 'exists'));
    await Promise.all(missing.map((queue) => new AzureQueue(queue).ensure()));
  }

  async removeProbe(): Promise<void> {
    await Promise.all(this.#queues.map(removeQueue));
  }
}

async function removeQueue(queue: QueueClient): Promise<void> {
  checkProbe(queue.name);
  await queue.delete().catch((error: unknown) => {
    if (azureCodeOf(error) !== 'QueueNotFound') throw azureError(error, askedOfQueue('delete', queue.name));
  });
}

async function inspectQueue(queue: QueueClient): Promise<Difference[]> {
  const thing = `queue ${queue.name}`;
  try {
    return clockDifference(thing, (await queue.getProperties()).date);
  } catch (error) {
    if (azureCodeOf(error) === 'QueueNotFound') return [missing(thing)];
    throw azureError(error, askedOfQueue('count', queue.name));
  }
}

class ContainerManager implements Manager {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  async inspect(): Promise<Difference[]> {
    const { container } = this.#place;
    const thing = `container ${container.containerName}`;
    try {
      const { date, blobPublicAccess } = await container.getProperties();
      return [
        ...clockDifference(thing, date),
        ...(blobPublicAccess === undefined ? [] : [openToAll(thing, blobPublicAccess)]),
        ...(await this.#inspectAccount()),
      ];
    } catch (error) {
      if (azureCodeOf(error) === 'ContainerNotFound') return [missing(thing)];
      throw azureError(error, askedOfBlob('inspect', `the ${thing}`));
    }
  }

  async mend(differences: readonly Difference[]): Promise<void> {
    const { container } = this.#place;
    const thing = `container ${container.containerName}`;
    try {
      if (isAsked(differences, thing, 'exists')) await makeContainer(container);
      if (isAsked(differences, thing, 'public-access')) await container.setAccessPolicy();
    } catch (error) {
      throw azureError(error, askedOfBlob('make', `the ${thing}`));
    }
  }

  /** What kind of account it is; one whom the right to ask is missing works all the same. */
  async #inspectAccount(): Promise<Difference[]> {
    try {
      const { accountKind, isHierarchicalNamespaceEnabled } = await this.#place.service.getAccountInfo();
      const thing = `account ${this.#place.service.accountName}`;
      if (
        accountKind !== undefined &&
        !/^(Storage|StorageV2|BlobStorage|BlockBlobStorage)$/.test(accountKind)
      )
        return [wrongKind(thing, accountKind)];
      return isHierarchicalNamespaceEnabled === true ? [hierarchical(thing)] : [];
    } catch {
      return [];
    }
  }
}

async function makeContainer(container: ContainerClient): Promise<void> {
  await container.create().catch((error: unknown) => {
    if (azureCodeOf(error) !== 'ContainerAlreadyExists') throw error;
  });
}

const isAsked = (differences: readonly Difference[], thing: string, setting: string): boolean =>
  differences.some((one) => one.thing === thing && one.setting === setting);

const missing = (thing: string): Difference => ({
  thing,
  setting: 'exists',
  is: 'missing',
  shouldBe: 'there',
  fix: 'clobi pool ensure',
  gravity: 'failed',
  mendable: true,
});

const openToAll = (thing: string, access: string): Difference => ({
  thing,
  setting: 'public-access',
  is: access,
  shouldBe: 'none',
  fix: '`clobi pool ensure` closes it; also switch off public access for the whole account',
  gravity: 'failed',
  mendable: true,
});

const wrongKind = (thing: string, kind: string): Difference => ({
  thing,
  setting: 'kind',
  is: kind,
  shouldBe: 'StorageV2 or BlockBlobStorage',
  fix: 'use a storage account of another kind: this one holds no block blobs',
  gravity: 'failed',
  mendable: false,
});

const hierarchical = (thing: string): Difference => ({
  thing,
  setting: 'namespace',
  is: 'hierarchical',
  shouldBe: 'flat',
  fix: 'use a storage account without hierarchical namespace: in this one no object may lie below another',
  gravity: 'warning',
  mendable: false,
});

const SKEW_WARNING_MS = 60_000;
const SKEW_FAILURE_MS = 10 * 60_000;

/** Azure refuses signatures that are 15 minutes off. `date` is the server's, when it answered. */
function clockDifference(thing: string, date: Date | undefined): Difference[] {
  const skewMs = date === undefined ? 0 : Date.now() - date.getTime();
  if (Math.abs(skewMs) <= SKEW_WARNING_MS) return [];
  return [
    {
      thing,
      setting: 'clock',
      is: `${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs > 0 ? 'ahead' : 'behind'}`,
      shouldBe: 'within a minute of Azure’s',
      fix: 'set the clock of this machine by NTP (timedatectl set-ntp true)',
      gravity: Math.abs(skewMs) > SKEW_FAILURE_MS ? 'failed' : 'warning',
      mendable: false,
    },
  ];
}
