/**
 * Requests a task on AWS, counted on the wire between our processes and an emulated SQS and S3 (fauxqs): 10,000 short tasks
 * (baseline: one request to send, receive and delete each message and one to put each outcome, 4 a task), and 1,000 tasks with
 * one output each (baseline: 5). Requests are counted from the submit until the job is over, idle ones included.
 * `node bench/requests.ts [SHORT] [WITH_OUTPUTS]`.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { startFauxqs } from '../infra/emulators/fauxqs.ts';
import { openManager } from '../shared/providers/open.ts';
import { formatCloudUrl, parseCloudUrl } from '../shared/providers/url.ts';
import { Cluster } from '../test/helpers/cluster.ts';
import { FaultProxy } from '../test/helpers/fault-proxy.ts';
import { waitFor } from '../test/helpers/wait.ts';
import { report } from './report.ts';

const SHORT = Number(process.argv[2] ?? '10000');
const WITH_OUTPUTS = Number(process.argv[3] ?? '1000');
const LONGEST_MS = 1_200_000;

interface Measured {
  name: string;
  tasks: number;
  requests: number;
  baseline: number;
  asked: Record<string, number>;
}

async function measure(kind: {
  name: string;
  tasks: number;
  command: string[];
  outputs: { glob: string }[];
  baseline: number;
}): Promise<Measured> {
  await using aws = await startFauxqs();
  await using sqs = await FaultProxy.start(aws.endpoint);
  await using s3 = await FaultProxy.start(aws.endpoint);
  Object.assign(process.env, aws.env);
  await using cluster = await Cluster.create({}, aws.env);
  const bucket = aws.storeUrl('clobi-bench');
  const manager = await openManager(bucket);
  await manager?.mend((await manager.inspect()).filter(({ mendable }) => mendable));
  const { host: region } = parseCloudUrl(aws.queueUrl('any'));
  const store = formatCloudUrl({ ...parseCloudUrl(bucket), endpoint: s3.url });
  const pools = { aws: { queue: { kind: 'sqs', region, endpoint: sqs.url }, store } };
  await writeFile(join(cluster.home, 'clobi.yaml'), JSON.stringify({ pools }));
  await cluster.startCoordinator();
  cluster.startAgent('bench', { pool: 'aws', slots: 2 });
  await waitFor(
    'the agent is there',
    async () => (await cluster.get<{ agents: unknown[] }>('/v1/agents')).agents.length === 1,
  );
  const before = countOf(sqs, s3);
  const { command, outputs, tasks } = kind;
  const job = await cluster.submit({ command, outputs, tasks: { kind: 'count', count: tasks } });
  const view = await cluster.over(job, LONGEST_MS);
  if (view.counts.succeeded !== tasks) throw new Error(`not all succeeded: ${JSON.stringify(view.counts)}`);
  const after = countOf(sqs, s3);
  const asked = Object.fromEntries(
    Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]),
  );
  const requests = Object.values(asked).reduce((sum, count) => sum + count, 0);
  return { name: kind.name, tasks, requests, baseline: kind.baseline, asked };
}

const countOf = (sqs: FaultProxy, s3: FaultProxy): Record<string, number> => ({
  ...Object.fromEntries(sqs.asked),
  ...Object.fromEntries([...s3.asked].map(([name, count]) => [`S3 ${name}`, count])),
});

const measured = [
  await measure({ name: 'short tasks', tasks: SHORT, command: ['/bin/true'], outputs: [], baseline: 4 }),
  await measure({
    name: 'tasks with one output each',
    tasks: WITH_OUTPUTS,
    command: ['sh', '-c', 'echo "$CLOBI_TASK_INDEX" > out.txt'],
    outputs: [{ glob: 'out.txt' }],
    baseline: 5,
  }),
];
report(
  'requests a task on an emulated AWS, against one request a step and task',
  measured.map(({ name, tasks, requests, baseline }) => ({
    name: `${String(tasks)} ${name}`,
    value: `${(requests / tasks).toFixed(3)} requests a task`,
    ratio: `${(baseline / (requests / tasks)).toFixed(1)} × fewer than ${String(baseline)}`,
  })),
);
for (const { name, asked } of measured) process.stdout.write(`${name}: ${JSON.stringify(asked)}\n`);
