/**
 * Requests a task on AWS and on Azure, counted on the wire between our processes and emulators (fauxqs, Azurite): 10,000 short
 * tasks (baseline: one request to send, receive and delete each message and one to put each outcome, 4 a task), and 1,000
 * tasks with one output each (baseline: 5). Everything lies in the cloud: queues, control document, segments, outputs, and the
 * coordinator's own store with its specs and verdicts. Requests are counted from the submit until the job is over, idle ones
 * included. By operation, and what a million such tasks cost by `coordinator/prices.ts`; `docs/providers.md` takes its table
 * from there. `node bench/requests.ts [SHORT] [WITH_OUTPUTS] [CLOUD]`.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { startAzurite } from '../infra/emulators/azurite.ts';
import { startFauxqs } from '../infra/emulators/fauxqs.ts';
import { agentConfigFile } from '../shared/paths.ts';
import { openManager } from '../shared/providers/open.ts';
import { formatCloudUrl, parseCloudUrl } from '../shared/providers/url.ts';
import { Cluster } from '../test/helpers/cluster.ts';
import { waitFor } from '../test/helpers/wait.ts';
import { costTable } from './cost-table.ts';
import { report } from './report.ts';
import { type Asked, difference, Wire } from './wire.ts';

const SHORT = Number(process.argv[2] ?? '10000');
const WITH_OUTPUTS = Number(process.argv[3] ?? '1000');
const CLOUDS = (['aws', 'azure'] as const).filter((cloud) => (process.argv[4] ?? cloud) === cloud);
const LONGEST_MS = 1_200_000;

type CloudName = (typeof CLOUDS)[number];

interface Kind {
  name: string;
  tasks: number;
  command: string[];
  outputs: { glob: string }[];
  baseline: number;
}

interface Measured {
  cloud: CloudName;
  kind: Kind;
  seconds: number;
  asked: Asked;
}

const KINDS: readonly Kind[] = [
  { name: 'short tasks', tasks: SHORT, command: ['/bin/true'], outputs: [], baseline: 4 },
  {
    name: 'tasks with one output each',
    tasks: WITH_OUTPUTS,
    command: ['sh', '-c', 'echo "$CLOBI_TASK_INDEX" > out.txt'],
    outputs: [{ glob: 'out.txt' }],
    baseline: 5,
  },
];

interface Place extends AsyncDisposable {
  env: Record<string, string>;
  /** As opened past the proxies. */
  bucket: string;
  pool: { queue: object; store: string };
}

async function emulatedAws(wire: Wire): Promise<Place> {
  const aws = await startFauxqs();
  const [sqs, s3] = [await wire.before('sqs', aws.endpoint), await wire.before('s3', aws.endpoint)];
  const bucket = aws.storeUrl('clobi-bench', 'bench');
  const { host: region } = parseCloudUrl(aws.queueUrl('any'));
  const pool = { queue: { kind: 'sqs', region, endpoint: sqs }, store: through(bucket, s3) };
  return { env: aws.env, bucket, pool, [Symbol.asyncDispose]: () => aws[Symbol.asyncDispose]() };
}

async function emulatedAzure(wire: Wire): Promise<Place> {
  const azure = await startAzurite();
  const [queue, blob] = [
    await wire.before('azure-queue', azure.endpoints.queue),
    await wire.before('azblob', azure.endpoints.blob),
  ];
  const bucket = azure.storeUrl('clobi-bench', 'bench');
  const pool = {
    queue: { kind: 'azure-queue', account: azure.account, endpoint: queue },
    store: through(bucket, blob),
  };
  return { env: { ...azure.env }, bucket, pool, [Symbol.asyncDispose]: () => azure[Symbol.asyncDispose]() };
}

const through = (url: string, endpoint: string): string =>
  formatCloudUrl({ ...parseCloudUrl(url), endpoint });

async function measure(cloud: CloudName, kind: Kind): Promise<Measured> {
  await using wire = new Wire();
  await using place = await (cloud === 'aws' ? emulatedAws(wire) : emulatedAzure(wire));
  Object.assign(process.env, place.env);
  await using cluster = await Cluster.create({}, place.env);
  const manager = await openManager(place.bucket);
  await manager?.mend((await manager.inspect()).filter(({ mendable }) => mendable));
  const settings = { store: place.pool.store, pools: { [cloud]: place.pool } };
  await writeFile(join(cluster.home, 'clobi.yaml'), JSON.stringify(settings));
  await cluster.startCoordinator();
  await wire.divertAgent(agentConfigFile(cluster.home, cloud));
  cluster.startAgent('bench', { pool: cloud, slots: 2 });
  await waitFor(
    'the agent is there',
    async () => (await cluster.get<{ agents: unknown[] }>('/v1/agents')).agents.length === 1,
  );
  const before = wire.counts();
  const began = performance.now();
  const { command, outputs, tasks } = kind;
  const job = await cluster.submit({ command, outputs, tasks: { kind: 'count', count: tasks } });
  const view = await cluster.over(job, LONGEST_MS);
  if (view.counts.succeeded !== tasks) throw new Error(`not all succeeded: ${JSON.stringify(view.counts)}`);
  const seconds = (performance.now() - began) / 1_000;
  return { cloud, kind, seconds, asked: difference(wire.counts(), before) };
}

const sum = (asked: Asked): number => Object.values(asked).reduce((total, count) => total + count, 0);

/** By operation alone, whoever sent it. */
function byOperation(asked: Asked): Asked {
  const all: Asked = {};
  for (const [name, count] of Object.entries(asked)) {
    const operation = name.slice(name.indexOf(' ') + 1);
    all[operation] = (all[operation] ?? 0) + count;
  }
  return all;
}

/** One line an operation: its requests, and by whom. */
function breakDown({ cloud, kind: { tasks, name }, seconds, asked }: Measured): string {
  const lines = Object.entries(byOperation(asked))
    .sort(([, a], [, b]) => b - a)
    .map(([operation, count]) => {
      const agent = asked[`agent ${operation}`] ?? 0;
      const by = `coordinator ${String(count - agent)}, agent ${String(agent)}`;
      return `  ${operation.padEnd(32)} ${String(count).padStart(6)}  ${by}\n`;
    });
  return `\n${cloud}, ${String(tasks)} ${name}, ${seconds.toFixed(0)} s:\n${lines.join('')}`;
}

const measured: Measured[] = [];
for (const cloud of CLOUDS) for (const kind of KINDS) measured.push(await measure(cloud, kind));
report(
  'requests a task on emulated clouds, against one request a step and task',
  measured.map(({ cloud, kind: { name, tasks, baseline }, asked }) => ({
    name: `${cloud}: ${String(tasks)} ${name}`,
    value: `${(sum(asked) / tasks).toFixed(3)} requests a task`,
    ratio: `${(baseline / (sum(asked) / tasks)).toFixed(1)} × fewer than ${String(baseline)}`,
  })),
);
for (const each of measured) process.stdout.write(breakDown(each));
for (const cloud of CLOUDS) {
  const columns = measured
    .filter((each) => each.cloud === cloud)
    .map(({ kind: { name, tasks }, asked }) => ({ title: name, tasks, asked: byOperation(asked) }));
  process.stdout.write(`\n${costTable(cloud, columns)}`);
}
