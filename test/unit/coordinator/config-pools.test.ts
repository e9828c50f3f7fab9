import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type CoordinatorConfig, loadConfig, type RawSettings } from '../../../coordinator/config.ts';
import type { PoolConfig } from '../../../coordinator/config-pools.ts';
import { ClobiError } from '../../../shared/errors.ts';
import { temporaryDirectory } from '../../helpers/temporary.ts';

async function compile(text: string, flags: RawSettings = {}): Promise<CoordinatorConfig> {
  await using home = await temporaryDirectory();
  await writeFile(join(home.path, 'clobi.yaml'), text);
  return loadConfig({ home: home.path, flags });
}

async function onePool(text: string, flags: RawSettings = {}): Promise<PoolConfig> {
  const [pool] = (await compile(text, flags)).pools;
  assert.ok(pool);
  return pool;
}

/** `line:column message` of every problem. */
async function problemsOf(text: string, flags: RawSettings = {}): Promise<string[]> {
  const error = await compile(text, flags).then(
    () => assert.fail('it was taken'),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof ClobiError);
  assert.equal(error.code, 'INVALID_CONFIG');
  assert.equal(error.kind.exitCode, 2);
  return error.message.split('\n').map((line) => line.replace(/^.*\/clobi\.yaml:/, ''));
}

describe('pools of clouds', () => {
  test('an AWS pool: queues in its region, bucket as given, agents with their own credentials', async () => {
    const pool = await onePool(`
pools:
  aws:
    queue: {kind: sqs, credentials: 'profile:work'}
    store: s3://results/run 1?credentials=profile:work
    agentCredentials: instance
    region: eu-central-1
    price: 0.04
`);
    assert.equal(pool.provider, 'aws');
    assert.equal(pool.region, 'eu-central-1');
    assert.equal(pool.pricePerCpuHour, 0.04);
    assert.equal(pool.unitsQueue, 'sqs://eu-central-1/clobi-aws-units?credentials=profile%3Awork');
    assert.equal(pool.deadQueue, 'sqs://eu-central-1/clobi-aws-dead?credentials=profile%3Awork');
    assert.equal(pool.store, 's3://results/run%201?credentials=profile%3Awork');
    assert.deepEqual(pool.agent, {
      unitsQueue: 'sqs://eu-central-1/clobi-aws-units?credentials=instance',
      eventsQueue: 'sqs://eu-central-1/clobi-aws-events?credentials=instance',
      store: 's3://results/run%201?credentials=instance',
    });
  });

  test('an Azure pool takes its account from its store; any queue goes with any store', async () => {
    const { pools } = await compile(`
store: {url: 's3://main', endpoint: 'http://127.0.0.1:9000', region: us-east-1, credentials: env}
pools:
  azure: {queue: azure-queue, store: 'azblob://acme/results/x'}
  mixed:
    queue: {kind: azure-queue, account: acme, endpoint: 'http://127.0.0.1:10001/acme', credentials: key}
    agentCredentials: {queue: managed, store: env}
  desk: {store: file:./desk}
`);
    assert.deepEqual(
      pools.map(({ name, provider, unitsQueue }) => [
        name,
        provider,
        unitsQueue.replace(/\/tmp.*queues/, ''),
      ]),
      [
        ['azure', 'azure', 'azure-queue://acme/clobi-azure-units'],
        [
          'mixed',
          'azure',
          'azure-queue://acme/clobi-mixed-units?endpoint=http%3A%2F%2F127.0.0.1%3A10001%2Facme&credentials=key',
        ],
        ['desk', 'local', 'local-queue:/clobi-desk-units.sqlite'],
      ],
    );
    const [, mixed, desk] = pools;
    assert.ok(mixed && desk);
    assert.equal(
      mixed.store,
      's3://main?endpoint=http%3A%2F%2F127.0.0.1%3A9000&region=us-east-1&credentials=env',
    );
    assert.match(mixed.agent.unitsQueue, /credentials=managed$/);
    assert.match(mixed.agent.store, /credentials=env$/);
    assert.match(desk.store, /^file:\/.*\/desk$/);
  });

  test('a pool that names the primary store, with whatever credentials, shares it', async () => {
    const config = await compile(
      'store: s3://main/x?credentials=env\npools: {a: {store: "s3://main/x", agentCredentials: container}}',
    );
    assert.equal(config.pools[0]?.store, config.store);
    assert.equal(config.pools[0].agent.store, 's3://main/x?credentials=container');
  });

  test('what was written before pools had queues is still taken', async () => {
    const pool = await onePool('pools: {local: {provider: local, region: null, labels: {disk: ssd}}}');
    assert.deepEqual([pool.provider, pool.region, pool.labels], ['local', null, { disk: 'ssd' }]);
  });
});

describe('times of a pool', () => {
  const SQS = 'queue: {kind: sqs, region: r}, store: "s3://b"';

  test('clouds are slower by default; a setting given for all, and the pool itself, win', async () => {
    assert.deepEqual((await onePool(`pools: {a: {${SQS}}}`)).timing, {
      heartbeatMs: 15_000,
      deadMs: 90_000,
      leaseMs: 120_000,
      flushMs: 1_000,
      controlPollMs: 5_000,
    });
    const given = await onePool(`dead: 30s\npools: {a: {${SQS}, lease: 45s}}`, { heartbeat: '1s' });
    assert.deepEqual(
      [given.timing.deadMs, given.timing.leaseMs, given.timing.heartbeatMs],
      [30_000, 45_000, 1_000],
    );
    const local = await onePool('pools: {a: {heartbeat: 3s}}');
    assert.deepEqual([local.timing.heartbeatMs, local.timing.controlPollMs], [3_000, 250]);
  });

  test('a shorter dead time takes the default heartbeat along', async () => {
    assert.equal((await onePool(`dead: 6s\npools: {a: {${SQS}}}`)).timing.heartbeatMs, 2_000);
  });

  test('relations are checked, with both values named, at the one that was given', async () => {
    assert.deepEqual(await problemsOf('pools:\n  a:\n    heartbeat: 20s\n    lease: 1ms\n'), [
      '3:16 pools.a.heartbeat (20000 ms) must be shorter than pools.a.dead (15000 ms), else every agent is dead between two heartbeats',
      '4:12 pools.a.lease is "1ms"; it must be a time from 100 ms to 43200000 ms, like 60s',
    ]);
    assert.deepEqual(await problemsOf(`pools:\n  a: {${SQS}, lease: 500ms}\n`), [
      '2:62 pools.a.lease (500 ms) must be at least 1000 ms: clouds count leases in whole seconds',
    ]);
  });
});

test('all problems come at once, each with its place and what was probably meant', async () => {
  const found = await problemsOf(
    `hartbeat: 2s
dead: soon
store: s4://bucket
pools:
  aws:
    queue: {kind: sqss}
    lables: {a: b}
    price: cheap
  azure:
    queue: {kind: azure-queue, credentials: manged, region: x}
    agentCredentials: instance
  Big:
    store: azblob://acme
  s:
    queue: sqs
    store: {url: 's3://b', secretKey: x}
  t:
    store: 's3://key:secret@b'
    provider: aws
`,
    { flush: 'now', nonsense: 1 },
  );
  assert.deepEqual(found, [
    '--set flush: flush is "now"; it must be a time from 1 ms to 60000 ms, like 200ms',
    '--set nonsense: unknown setting "nonsense"; known here: ns, listen, logLevel, heartbeat, dead, lease, flush, controlPoll, patience, lookahead, unitTarget, notAfter, holdDown, epochCheck',
    '1:1 unknown setting "hartbeat"; did you mean "heartbeat"?',
    '2:7 dead is "soon"; it must be a time from 50 ms to 86400000 ms, like 15s',
    '3:8 store: is "s4://bucket"; it must be the URL of a store, like file:PATH, s3://BUCKET/PREFIX or azblob://ACCOUNT/CONTAINER/PREFIX',
    '6:19 pools.aws.queue.kind: there is no queue "sqss"; did you mean "sqs"?',
    '7:5 unknown key "lables" in pools.aws; did you mean "labels"?',
    '8:12 pools.aws.price: must be a number, not the text "cheap"',
    '10:12 pools.azure.queue: a Storage Queue is in a storage account: give pools.azure.queue as {kind: azure-queue, account: NAME}',
    '10:45 pools.azure.queue.credentials: credentials "manged" are none of default, env, key, sas, managed, managed:CLIENT_ID, cli or workload; did you mean "managed"?',
    '10:53 pools.azure.queue: a queue of kind azure-queue has no region',
    '11:23 pools.azure.agentCredentials: credentials "instance" are none of default, env, key, sas, managed, managed:CLIENT_ID, cli or workload',
    '12:3 pools.Big: a name has lower-case letters, digits and dashes, at most 31',
    '13:12 pools.Big.store: "azblob://acme" cannot be used: it must go on with /CONTAINER',
    '15:12 pools.s.queue: an SQS queue is in a region: give pools.s.region, like eu-central-1',
    '16:28 unknown key "secretKey" in pools.s.store; known here: url, endpoint, region, credentials',
    '18:12 pools.t.store: "s3:" cannot be used: it holds a secret; name where credentials come from with ?credentials=',
    '19:15 pools.t.provider is "aws", but by its queue it is "local"; write "queue: sqs", or remove it',
  ]);
});
