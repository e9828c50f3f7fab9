import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import type { JobView } from '../../coordinator/http/api.ts';
import { openManager, openStore } from '../../shared/providers/open.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { formatCloudUrl, parseCloudUrl } from '../../shared/providers/url.ts';
import { clobi, diesAt } from '../helpers/process.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { startEmulators, ThreeClouds } from '../helpers/three-clouds.ts';
import { waitFor } from '../helpers/wait.ts';

/** Bytes on their way between a submitter, three stores and places of the user's, by real processes over emulated clouds. */
const emulators = await startEmulators();
after(() => Promise.all([emulators.aws[Symbol.asyncDispose](), emulators.azure[Symbol.asyncDispose]()]));

async function readKey(store: ObjectStore, key: string): Promise<string> {
  return text((await store.get(key))!.body);
}

/** A place of the user's: as a test opens it, and as a job names it, which is at the endpoint of a configured store. */
async function userPlace(
  clouds: ThreeClouds,
  cloud: 'aws' | 'azure',
): Promise<{ store: ObjectStore; url: string }> {
  const direct =
    cloud === 'aws' ? clouds.aws.storeUrl('mine', clouds.ns) : clouds.azure.storeUrl('mine', clouds.ns);
  const manager = await openManager(direct);
  await manager?.mend((await manager.inspect()).filter(({ mendable }) => mendable));
  const proxy = cloud === 'aws' ? clouds.proxies.s3 : clouds.proxies.azureBlob;
  const parsed = parseCloudUrl(direct);
  const path = cloud === 'aws' ? '' : new URL(parsed.endpoint ?? '').pathname;
  const { kind, host, path: prefix } = parsed;
  return {
    store: await openStore(direct),
    url: formatCloudUrl({ kind, host, path: prefix, endpoint: proxy.url + path }),
  };
}

/** The URL of one object of the place. */
const objectIn = (place: string, name: string): string => place.replace('?', `/${encodeURIComponent(name)}?`);

async function submit(clouds: ThreeClouds, directory: string, jobs: readonly object[]): Promise<string[]> {
  const file = join(directory, 'jobs.yaml');
  const documents = jobs.map((job) => JSON.stringify({ apiVersion: 'clobi/v1', ...job }));
  await writeFile(file, documents.join('\n---\n'));
  const { cluster } = clouds;
  const { code, stdout, stderr } = await clobi(['submit', file, '--home', cluster.home], {
    env: cluster.env,
  });
  assert.equal(code, 0, stderr);
  return stdout.trim().split('\n');
}

async function published(clouds: ThreeClouds, job: string): Promise<void> {
  await waitFor('everything is published', async () => {
    const { publish } = await clouds.cluster.get<JobView>(`/v1/jobs/${job}`);
    assert.equal(publish?.failure ?? null, null);
    return publish?.waiting === 0;
  });
}

test('a chain over three pools: files, references and outputs go where they are needed, and come back', async () => {
  await using clouds = await ThreeClouds.create({}, emulators);
  await using directory = await temporaryDirectory();
  const { cluster } = clouds;
  await clouds.start();
  const [s3, blobs] = await Promise.all([userPlace(clouds, 'aws'), userPlace(clouds, 'azure')]);
  await s3.store.put('a b#?%.txt', 'from S3\n');
  await blobs.store.put('ü.txt', 'from Azure\n');
  await mkdir(join(directory.path, 'in put'));
  await writeFile(join(directory.path, 'in put', 'local ü.txt'), 'from here\n');
  await writeFile(join(directory.path, 'large'), Buffer.alloc(3 * 1024 * 1024, 'x'));
  const [first, second, third] = await submit(clouds, directory.path, [
    {
      name: 'first',
      command: [
        'sh',
        '-c',
        'mkdir -p out; cat "in put/local ü.txt" s3.txt azure.txt > out/all; wc -c < large >> out/all',
      ],
      array: { count: 2 },
      inputs: [
        'in put/local ü.txt',
        'large',
        { url: objectIn(s3.url, 'a b#?%.txt'), to: 's3.txt' },
        { url: objectIn(blobs.url, 'ü.txt'), to: 'azure.txt' },
      ],
      outputs: { files: ['out/*'], to: blobs.url },
      placement: { pool: 'aws' },
    },
    {
      name: 'second',
      command: ['sh', '-c', 'cat up/0/out/all up/1/out/all > both'],
      depends: ['first'],
      inputs: [{ fromJob: 'first', glob: '**', to: 'up' }],
      outputs: { files: ['both'], to: s3.url },
      placement: { pool: 'azure' },
    },
    {
      name: 'third',
      command: ['sh', '-c', 'wc -l < up/0/both | tr -d " "'],
      depends: ['second'],
      inputs: [{ fromJob: 'second', glob: '**', to: 'up' }],
      placement: { pool: 'local' },
    },
  ]);
  for (const job of [first, second, third]) assert.equal((await cluster.over(job ?? '')).state, 'succeeded');
  const all = 'from here\nfrom S3\nfrom Azure\n3145728\n';
  const { stdout } = await clobi(['task', 'logs', `${third ?? ''}/0`, '--home', cluster.home], {
    env: cluster.env,
  });
  assert.equal(stdout, '8\n');

  await Promise.all([published(clouds, first ?? ''), published(clouds, second ?? '')]);
  assert.equal(await readKey(blobs.store, '1/out/all'), all);
  assert.equal(await readKey(s3.store, '0/both'), all + all);

  const results = join(directory.path, 'results');
  for (const job of [first, second]) {
    const args = ['job', 'outputs', job ?? '', '--to', results, '--home', cluster.home];
    assert.equal((await clobi(args, { env: cluster.env })).code, 0);
  }
  assert.equal(await readFile(join(results, '0', 'both'), 'utf8'), all + all);
  assert.equal(await readFile(join(results, '1', 'out', 'all'), 'utf8'), all);
  await cluster.observe(first ?? '');
  assert.deepEqual(await cluster.violations({ expectNoLosses: true }, clouds.storeUrls()), []);
});

describe('kill -9 of the coordinator', { concurrency: 2 }, () => {
  for (const point of ['stage.before-put', 'stage.after-put', 'publish.after-put'])
    test(`at ${point}`, { timeout: 300_000 }, async () => {
      await using clouds = await ThreeClouds.create({}, emulators);
      await using directory = await temporaryDirectory();
      const { cluster } = clouds;
      const place = await userPlace(clouds, 'aws');
      await cluster.startCoordinator();
      cluster.startAgent('at-azure', { pool: 'azure' });
      await waitFor('the agent is known', async () => {
        const { agents } = await cluster.get<{ agents: unknown[] }>('/v1/agents');
        return agents.length === 1;
      });
      await cluster.coordinator?.kill();
      const doomed = await cluster.startCoordinator({ CLOBI_FAULT: point });
      await writeFile(join(directory.path, 'in'), 'brought\n');
      const jobs = [
        {
          name: 'one',
          idempotencyKey: 'only-one',
          command: ['cp', 'in', 'out'],
          array: { count: 3 },
          inputs: ['in'],
          outputs: { files: ['out'], to: place.url },
          placement: { pool: 'azure' },
        },
      ];
      // It may die before the submitter has its answer.
      const answered = await submit(clouds, directory.path, jobs).catch(() => undefined);
      await diesAt(doomed, point);
      await cluster.startCoordinator();
      const [job = ''] = await submit(clouds, directory.path, jobs);
      if (answered !== undefined) assert.deepEqual(answered, [job]);
      assert.equal((await cluster.over(job)).counts.succeeded, 3);
      await published(clouds, job);
      for (const index of [0, 1, 2]) assert.equal(await readKey(place.store, `${index}/out`), 'brought\n');
      await cluster.observe(job);
      assert.deepEqual(await cluster.violations({ copiesAllowed: true }, clouds.storeUrls()), []);
    });
});
