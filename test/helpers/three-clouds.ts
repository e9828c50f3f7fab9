import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startAzurite, type Azurite } from '../../infra/emulators/azurite.ts';
import { startFauxqs, type Fauxqs } from '../../infra/emulators/fauxqs.ts';
import { openManager } from '../../shared/providers/open.ts';
import { formatCloudUrl, parseCloudUrl } from '../../shared/providers/url.ts';
import { Cluster, QUICK, type Settings } from './cluster.ts';
import { FaultProxy } from './fault-proxy.ts';

/** The four servers of the two emulated clouds, each behind a proxy of its own. */
export type Service = 'sqs' | 's3' | 'azureQueue' | 'azureBlob';

/** Cloud pools as quick as the emulators allow; a dark pool is left soon. */
const QUICK_POOL = { heartbeat: 500, controlPoll: 200, lease: 4_000 };

/**
 * One coordinator over the local pool, an emulated AWS and an emulated Azure, agents as asked for. Everything between our
 * processes and the emulators goes through fault proxies.
 */
export class ThreeClouds {
  readonly cluster: Cluster;
  readonly aws: Fauxqs;
  readonly azure: Azurite;
  readonly proxies: Readonly<Record<Service, FaultProxy>>;

  private constructor(parts: Pick<ThreeClouds, 'cluster' | 'aws' | 'azure' | 'proxies'>) {
    this.cluster = parts.cluster;
    this.aws = parts.aws;
    this.azure = parts.azure;
    this.proxies = parts.proxies;
  }

  static async create(settings: Settings = {}): Promise<ThreeClouds> {
    const [aws, azure] = await Promise.all([startFauxqs({ durable: true }), startAzurite()]);
    const [sqs, s3, azureQueue, azureBlob] = await Promise.all(
      [aws.endpoint, aws.endpoint, originOf(azure.endpoints.queue), originOf(azure.endpoints.blob)].map(
        (target) => FaultProxy.start(target),
      ),
    );
    if (!sqs || !s3 || !azureQueue || !azureBlob) throw new Error('a proxy is missing');
    // The checker opens the stores in this process.
    Object.assign(process.env, aws.env, azure.env);
    const cluster = await Cluster.create({}, { ...aws.env, ...azure.env });
    const clouds = new ThreeClouds({ cluster, aws, azure, proxies: { sqs, s3, azureQueue, azureBlob } });
    await clouds.#configure({ ...QUICK, dead: 5_000, ...settings });
    return clouds;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await Promise.all(Object.values(this.proxies).map((proxy) => proxy[Symbol.asyncDispose]()));
    await Promise.all([this.aws[Symbol.asyncDispose](), this.azure[Symbol.asyncDispose]()]);
  }

  /** A coordinator, and in each pool an agent of that name. */
  async start(slots = 2): Promise<void> {
    await this.cluster.startCoordinator();
    for (const pool of ['local', 'aws', 'azure']) this.cluster.startAgent(`at-${pool}`, { pool, slots });
  }

  /** The stores of the three pools as the checker opens them: past the proxies. */
  storeUrls(): string[] {
    return [
      `file:${join(this.cluster.home, 'store')}`,
      this.aws.storeUrl('clobi-test'),
      this.azure.storeUrl('clobi-test'),
    ];
  }

  async #configure(settings: Settings): Promise<void> {
    const pools = {
      local: {},
      aws: { ...this.#place('aws'), ...QUICK_POOL },
      azure: { ...this.#place('azure'), ...QUICK_POOL },
    };
    await writeFile(join(this.cluster.home, 'clobi.yaml'), JSON.stringify({ ...settings, pools }));
    for (const url of [this.aws.storeUrl('clobi-test'), this.azure.storeUrl('clobi-test')]) {
      const manager = await openManager(url);
      await manager?.mend((await manager.inspect()).filter(({ mendable }) => mendable));
    }
  }

  #place(pool: 'aws' | 'azure'): { queue: object; store: string } {
    const { sqs, s3, azureQueue, azureBlob } = this.proxies;
    if (pool === 'aws') {
      const { host } = parseCloudUrl(this.aws.queueUrl('any'));
      return {
        queue: { kind: 'sqs', region: host, endpoint: sqs.url },
        store: through(this.aws.storeUrl('clobi-test'), s3.url),
      };
    }
    const { host, endpoint = '' } = parseCloudUrl(this.azure.queueUrl('any'));
    return {
      queue: { kind: 'azure-queue', account: host, endpoint: azureQueue.url + new URL(endpoint).pathname },
      store: through(
        this.azure.storeUrl('clobi-test'),
        azureBlob.url + new URL(this.azure.endpoints.blob).pathname,
      ),
    };
  }
}

const originOf = (url: string): string => new URL(url).origin;
const through = (url: string, endpoint: string): string =>
  formatCloudUrl({ ...parseCloudUrl(url), endpoint });
