import { GetObjectCommand, HeadBucketCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { isCode, messageOf } from '../../errors.ts';
import type { Difference, Manager } from '../manage.ts';
import { RequestCounts } from '../meter.ts';
import type { CloudUrl } from '../url.ts';
import { actionOf } from './actions.ts';
import { Bucket } from './bucket.ts';
import { BUCKET_SETTINGS, createBucket, FIX } from './bucket-settings.ts';
import { clockDifference, watchDates } from './clock-skew.ts';
import { statusOf } from './errors.ts';
import { s3Client } from './s3-client.ts';

/** Asked for to learn whether we may read: nothing of ours is called so. */
const PROBE_KEY = 'clobi-probe';

/** The settings of a bucket. Those that another's S3 does not know are left out. */
export class BucketManager implements Manager {
  readonly #bucket: Bucket;
  readonly #thing: string;
  #date: string | undefined;

  private constructor(url: CloudUrl) {
    // A client of its own: its answers are watched for the time they name.
    const client = s3Client(url, new RequestCounts());
    watchDates(client, (date) => (this.#date = date ?? this.#date));
    this.#bucket = new Bucket(client, url);
    this.#thing = `bucket ${url.host}`;
  }

  static open(url: CloudUrl): BucketManager {
    return new BucketManager(url);
  }

  async inspect(): Promise<Difference[]> {
    const found = (await this.#inspectExistence()) ?? [
      ...(await this.#inspectRights()),
      ...(await this.#inspectSettings()),
    ];
    const clock = clockDifference(this.#thing, this.#date, Date.now());
    const all = clock === undefined ? found : [clock, ...found];
    return all.sort((a, b) => Number(a.gravity === 'warning') - Number(b.gravity === 'warning'));
  }

  async mend(differences: readonly Difference[]): Promise<void> {
    const ours = differences.filter(({ thing, mendable }) => mendable && thing === this.#thing);
    const isNew = ours.some(({ setting }) => setting === 'exists');
    if (isNew) await createBucket(this.#bucket);
    for (const { setting, inspect, mend } of BUCKET_SETTINGS) {
      if (mend === undefined) continue;
      const isAsked = ours.some((difference) => difference.setting === setting);
      if (isAsked || (isNew && (await inspect(this.#bucket)) !== undefined)) await mend(this.#bucket);
    }
  }

  /** Undefined when it is there and ours to use: only then is there more to look at. */
  async #inspectExistence(): Promise<Difference[] | undefined> {
    const missing = { setting: 'exists', is: 'missing', shouldBe: 'there', fix: FIX, mendable: true };
    try {
      await this.#bucket.ask('HeadBucket', undefined, () =>
        this.#bucket.client.send(new HeadBucketCommand({ Bucket: this.#bucket.name })),
      );
      return undefined;
    } catch (error) {
      if (isCode(error, 'NOT_FOUND')) return [this.#failed(missing)];
      if (!isCode(error, 'INVALID_CONFIG')) throw error;
      const is = messageOf(error);
      const region = { setting: 'region', is, shouldBe: 'the region of the bucket', mendable: false };
      return [this.#failed({ ...region, fix: 'name its region in the store URL: ?region=REGION' })];
    }
  }

  /** What can be tried without changing anything. */
  async #inspectRights(): Promise<Difference[]> {
    const { client, name, prefix } = this.#bucket;
    const list = await this.#tryRight('ListObjectsV2', () =>
      client.send(new ListObjectsV2Command({ Bucket: name, Prefix: prefix, MaxKeys: 1 })),
    );
    // To who may not list, S3 does not say that an object is missing: it refuses.
    if (list.length > 0) return list;
    const probe = new GetObjectCommand(this.#bucket.at(PROBE_KEY));
    return this.#tryRight('GetObject', () => client.send(probe));
  }

  async #inspectSettings(): Promise<Difference[]> {
    const found: Difference[] = [];
    for (const { setting, inspect } of BUCKET_SETTINGS) {
      try {
        const difference = await inspect(this.#bucket);
        if (difference !== undefined) found.push({ thing: this.#thing, setting, ...difference });
      } catch (error) {
        if (!isCode(error, 'CLOUD_AUTH')) throw error;
        const is = 'not ours to see';
        const rest = { setting, is, shouldBe: 'seen', fix: messageOf(error), mendable: false };
        found.push({ ...this.#failed(rest), gravity: 'warning' });
      }
    }
    return found;
  }

  async #tryRight(operation: string, request: () => Promise<unknown>): Promise<Difference[]> {
    try {
      await request();
    } catch (error) {
      if (statusOf(error) !== 403) return [];
      const action = actionOf('s3', operation);
      const fix = messageOf(this.#bucket.errorOf(operation, PROBE_KEY, error));
      const rest = { setting: 'permission', is: `${action} is refused`, shouldBe: 'allowed' };
      return [this.#failed({ ...rest, fix, mendable: false })];
    }
    return [];
  }

  #failed(difference: Omit<Difference, 'thing' | 'gravity'>): Difference {
    return { thing: this.#thing, ...difference, gravity: 'failed' };
  }
}
