import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { OutputView } from '../../coordinator/http/api.ts';
import { agentConfigSchema } from '../../shared/agent-config.ts';
import { agentConfigFile } from '../../shared/paths.ts';
import { parseCloudUrl } from '../../shared/providers/url.ts';
import { unseal, verifierOf } from '../../shared/wire/signature.ts';
import { unitBodySchema } from '../../shared/wire/unit.ts';
import { clobi, diesAt } from '../helpers/process.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { ThreeClouds } from '../helpers/three-clouds.ts';
import { waitFor } from '../helpers/wait.ts';

/** Debian's, by its path: others of that name may come first, and are other programs. */
const AWS = '/usr/bin/aws';
const MODELS = '/usr/lib/python3/dist-packages/awscli/botocore/data';
const skip = existsSync(AWS) ? false : `needs ${AWS}: apt-get install --no-install-recommends awscli`;

const TASKS = 5;
/** So that its multipart transfers take part, too. */
const LARGE_BYTES = 9 * 1024 * 1024;
const LARGE_NAME = 'out/large ü #+%.bin';

interface Message {
  Body: string;
  ReceiptHandle: string;
}

/** Amazon's own client, which shares no code with ours: whatever it sees, we have put there as the protocol says. */
class AwsCli {
  readonly #clouds: ThreeClouds;
  readonly #models: string;

  private constructor(clouds: ThreeClouds, models: string) {
    this.#clouds = clouds;
    this.#models = models;
  }

  /**
   * Debian's is of a time when SQS spoke XML; the emulator knows SQS's JSON alone. So it gets its own description of SQS, with
   * the protocol changed as Amazon has changed it since: another name of the protocol, and no XML names.
   */
  static async at(clouds: ThreeClouds, directory: string): Promise<AwsCli> {
    const file = join('sqs', '2012-11-05', 'service-2.json');
    const xmlNames = ['locationName', 'resultWrapper', 'flattened'];
    const model = JSON.parse(await readFile(join(MODELS, file), 'utf8'), (key, value: unknown) =>
      xmlNames.includes(key) ? undefined : value,
    ) as { metadata: object };
    Object.assign(model.metadata, { protocol: 'json', jsonVersion: '1.0', targetPrefix: 'AmazonSQS' });
    await mkdir(join(directory, dirname(file)), { recursive: true });
    await writeFile(join(directory, file), JSON.stringify(model));
    return new AwsCli(clouds, directory);
  }

  /** Runs `aws ARGS`; rejects with what it said when it fails. */
  async run(...args: string[]): Promise<string> {
    const { host: region } = parseCloudUrl(this.#clouds.aws.queueUrl('any'));
    const options = ['--endpoint-url', this.#clouds.aws.endpoint, '--region', region, '--output', 'json'];
    const settings = {
      PATH: process.env['PATH'],
      LANG: 'C.UTF-8',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_PAGER: '',
      AWS_DATA_PATH: this.#models,
    };
    const { stdout } = await promisify(execFile)(AWS, [...options, ...args], {
      env: { ...settings, ...this.#clouds.aws.env },
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  }

  async json<T>(...args: string[]): Promise<T> {
    const said = await this.run(...args);
    return (said.trim() === '' ? {} : JSON.parse(said)) as T;
  }
}

const sha256 = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

test('Debian’s aws reads the queues, a unit and the results as an independent client', { skip }, async () => {
  await using clouds = await ThreeClouds.create();
  await using ours = await temporaryDirectory();
  await using theirs = await temporaryDirectory();
  await using models = await temporaryDirectory();
  const { cluster } = clouds;
  const aws = await AwsCli.at(clouds, models.path);
  await cluster.startCoordinator();
  const names = ['dead', 'events', 'units'].map((kind) => `${clouds.ns}-aws-${kind}`);
  const listed = await aws.json<{ QueueUrls: string[] }>(
    'sqs',
    'list-queues',
    '--queue-name-prefix',
    clouds.ns,
  );
  assert.deepEqual(listed.QueueUrls.map((url) => url.slice(url.lastIndexOf('/') + 1)).sort(), names);

  const job = await cluster.submit({
    command: ['sh', '-c', script],
    outputs: [{ glob: 'out/**', required: true }],
    tasks: { kind: 'count', count: TASKS },
    placement: { require: { pools: ['aws'] } },
  });
  // Work is sent to pools that have an agent; this one lives just long enough to be known.
  const point = 'take.after-receive';
  await diesAt(cluster.startAgent('first', { pool: 'aws', slots: 1, env: { CLOBI_FAULT: point } }), point);
  await readUnit(clouds, aws, job);

  cluster.startAgent('second', { pool: 'aws', slots: 2 });
  assert.equal((await cluster.over(job)).counts.succeeded, TASKS);
  await cluster.observe(job);
  assert.deepEqual(await cluster.violations({}, clouds.storeUrls()), []);

  const { code, stderr } = await clobi(['job', 'outputs', job, '--to', ours.path, '--home', cluster.home], {
    env: cluster.env,
  });
  assert.equal(code, 0, stderr);
  await compareResults(clouds, aws, { job, ours: ours.path, theirs: theirs.path });
});

const script = `mkdir -p out/deep; echo "$CLOBI_TASK_INDEX" > "out/deep/a b ü.txt"; : > out/empty
[ "$CLOBI_TASK_INDEX" != 0 ] || head -c ${String(LARGE_BYTES)} /dev/urandom > "${LARGE_NAME}"`;

/** A unit as it lies in the queue: a signature and the JSON that DESIGN names. It goes back as if nobody had looked. */
async function readUnit(clouds: ThreeClouds, aws: AwsCli, job: string): Promise<void> {
  const url = await aws.json<{ QueueUrl: string }>(
    'sqs',
    'get-queue-url',
    '--queue-name',
    `${clouds.ns}-aws-units`,
  );
  const queue = ['--queue-url', url.QueueUrl];
  const wanted = [
    '--max-number-of-messages',
    '10',
    '--wait-time-seconds',
    '1',
    '--visibility-timeout',
    '120',
  ];
  const found = new Map<string, Message>();
  await waitFor('aws has seen a unit', async () => {
    const { Messages = [] } = await aws.json<{ Messages?: Message[] }>(
      'sqs',
      'receive-message',
      ...queue,
      ...wanted,
    );
    for (const message of Messages) found.set(message.Body, message);
    return found.size > 0;
  });
  const { publicKey } = agentConfigSchema.parse(
    JSON.parse(await readFile(agentConfigFile(clouds.cluster.home, 'aws'), 'utf8')),
  );
  const verify = verifierOf(publicKey);
  for (const { Body, ReceiptHandle } of found.values()) {
    const { body, signature } = unseal(Body) ?? { body: '', signature: '' };
    assert.ok(verify(body, signature), 'signed by the coordinator');
    const unit = unitBodySchema.parse(JSON.parse(body));
    assert.deepEqual(
      [unit.v, unit.ns, unit.pool, unit.job, unit.taskCount],
      [1, clouds.ns, 'aws', job, TASKS],
    );
    // At once (0) is what the emulator, when it keeps its data, answers with an error after it has done it.
    const visible = ['--receipt-handle', ReceiptHandle, '--visibility-timeout', '1'];
    await aws.run('sqs', 'change-message-visibility', ...queue, ...visible);
  }
}

/** Every object of the job by `aws s3 cp --recursive`, against what `clobi job outputs` brought and the coordinator says of it. */
async function compareResults(
  clouds: ThreeClouds,
  aws: AwsCli,
  { job, ours, theirs }: { job: string; ours: string; theirs: string },
): Promise<void> {
  const { outputs } = await clouds.cluster.get<{ outputs: OutputView[] }>(
    `/v1/jobs/${job}/outputs?limit=1000`,
  );
  assert.equal(outputs.length, 2 * TASKS + 1);
  const { host: bucket, path: prefix } = parseCloudUrl(clouds.aws.storeUrl('clobi-test', clouds.ns));
  await aws.run(
    's3',
    'cp',
    '--recursive',
    '--only-show-errors',
    `s3://${bucket}/${prefix}/results/${job}/`,
    theirs,
  );
  const { Contents } = await aws.json<{ Contents: { Key: string; Size: number }[] }>(
    's3api',
    'list-objects-v2',
    ...['--bucket', bucket, '--prefix', `${prefix}/results/${job}/`],
  );
  const sizes = new Map(Contents.map(({ Key, Size }) => [Key, Size]));
  for (const { index, path, key, sizeBytes, sha256: told } of outputs) {
    assert.equal(sizes.get(`${prefix}/${key}`), sizeBytes, key);
    const [mine, copy] = [join(ours, String(index), path), join(theirs, key.slice(`results/${job}/`.length))];
    assert.equal(await sha256(mine), told, path);
    assert.ok((await readFile(mine)).equals(await readFile(copy)), path);
  }
}
