import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startAzurite, type Azurite } from '../../infra/emulators/azurite.ts';
import { startFauxqs, type Fauxqs } from '../../infra/emulators/fauxqs.ts';
import { openManager } from '../../shared/providers/open.ts';
import { formatCloudUrl, parseCloudUrl } from '../../shared/providers/url.ts';
import { Cluster, QUICK, type Settings } from './cluster.ts';
import { FaultProxy } from './fault-proxy.ts';
import { waitFor } from './wait.ts';

/** The four servers of the two emulated clouds, each behind a proxy of its own. */
export type Service = 'sqs' | 's3' | 'azureQueue' | 'azureBlob';

export interface Emulators {
  aws: Fauxqs;
  azure: Azurite;
}

export async function startEmulators(): Promise<Emulators> {
  const [aws, azure] = await Promise.all([startFauxqs({ durable: true }), startAzurite()]);
  return { aws, azure };
}

let instances = 0;

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

  /** Queues and objects of each instance have names of their own: emulators may serve several, one after the other. */
  readonly ns = `t${String(process.pid)}-${String((instances += 1))}`;
  readonly #ownsEmulators: boolean;

  private constructor(
    parts: Pick<ThreeClouds, 'cluster' | 'aws' | 'azure' | 'proxies'>,
    ownsEmulators: boolean,
  ) {
    this.cluster = parts.cluster;
    this.aws = parts.aws;
    this.azure = parts.azure;
    this.proxies = parts.proxies;
    this.#ownsEmulators = ownsEmulators;
  }

  /** Without `emulators` it starts its own. */
  static async create(settings: Settings = {}, emulators?: Emulators): Promise<ThreeClouds> {
    const { aws, azure } = emulators ?? (await startEmulators());
    const [sqs, s3, azureQueue, azureBlob] = await Promise.all(
      [aws.endpoint, aws.endpoint, originOf(azure.endpoints.queue), originOf(azure.endpoints.blob)].map(
        (target) => FaultProxy.start(target),
      ),
    );
    if (!sqs || !s3 || !azureQueue || !azureBlob) throw new Error('a proxy is missing');
    // The checker opens the stores in this process.
    Object.assign(process.env, aws.env, azure.env);
    const cluster = await Cluster.create({}, { ...aws.env, ...azure.env });
    const proxies = { sqs, s3, azureQueue, azureBlob };
    const clouds = new ThreeClouds({ cluster, aws, azure, proxies }, emulators === undefined);
    await clouds.#configure({ ...QUICK, dead: 5_000, ...settings });
    return clouds;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await Promise.all(Object.values(this.proxies).map((proxy) => proxy[Symbol.asyncDispose]()));
    if (this.#ownsEmulators)
      await Promise.all([this.aws[Symbol.asyncDispose](), this.azure[Symbol.asyncDispose]()]);
  }

  /** A coordinator, and in each pool an agent of that name, whom it has met: so that no pool is empty for what is submitted. */
  async start(
    agents: { slots?: number; envOf?: (pool: string) => Record<string, string> } = {},
  ): Promise<void> {
    const { slots = 2, envOf = () => ({}) } = agents;
    await this.cluster.startCoordinator();
    for (const pool of ['local', 'aws', 'azure'])
      this.cluster.startAgent(`at-${pool}`, { pool, slots, env: envOf(pool) });
    await waitFor('the agents of all pools are known', async () => {
      const { pools } = await this.cluster.get<{ pools: { agents: number }[] }>('/v1/pools');
      return pools.every((pool) => pool.agents > 0);
    });
  }

  /** The stores of the three pools as the checker opens them: past the proxies. */
  storeUrls(): string[] {
    return [
      `file:${join(this.cluster.home, 'store')}`,
      this.aws.storeUrl('clobi-test', this.ns),
      this.azure.storeUrl('clobi-test', this.ns),
    ];
  }

  async #configure(settings: Settings): Promise<void> {
    const pools = {
      local: {},
      aws: { ...this.#place('aws'), ...QUICK_POOL },
      azure: { ...this.#place('azure'), ...QUICK_POOL },
    };
    await writeFile(
      join(this.cluster.home, 'clobi.yaml'),
      JSON.stringify({ ...settings, ns: this.ns, pools }),
    );
    for (const url of [
      this.aws.storeUrl('clobi-test', this.ns),
      this.azure.storeUrl('clobi-test', this.ns),
    ]) {
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
        store: through(this.aws.storeUrl('clobi-test', this.ns), s3.url),
      };
    }
    const { host, endpoint = '' } = parseCloudUrl(this.azure.queueUrl('any'));
    return {
      queue: { kind: 'azure-queue', account: host, endpoint: azureQueue.url + new URL(endpoint).pathname },
      store: through(
        this.azure.storeUrl('clobi-test', this.ns),
        azureBlob.url + new URL(this.azure.endpoints.blob).pathname,
      ),
    };
  }
}

const originOf = (url: string): string => new URL(url).origin;
const through = (url: string, endpoint: string): string =>
  formatCloudUrl({ ...parseCloudUrl(url), endpoint });
