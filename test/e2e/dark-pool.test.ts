import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PoolView } from '../../coordinator/http/api.ts';
import { Cluster, QUICK } from '../helpers/cluster.ts';
import { waitFor } from '../helpers/wait.ts';

const retry = (lost: number) => ({ limit: 0, lost, backoff: { initialMs: 10, factor: 1, maxMs: 10 } });
/** A task that leaves a mark each time it begins, and ends when the gate is there. */
const marking = (marks: string, gate: string): string[] => [
  'sh',
  '-c',
  `echo "$CLOBI_ATTEMPT" >> "${marks}/$CLOBI_TASK_INDEX"; while [ ! -e '${gate}' ]; do sleep 0.1; done; echo x > outputs/done`,
];

/** Two pools, `local` and `cloud`, on one store; `cloud` goes out and comes back as the test says. */
async function stage(outages: string) {
  const cluster = await Cluster.create({ ...QUICK, holdDown: 1_000, pools: { local: {}, cloud: {} } });
  const directory = join(cluster.home, outages);
  mkdirSync(directory);
  const env = { CLOBI_OUTAGES: directory };
  const file = (queue: string): string => join(directory, `clobi-cloud-${queue}.sqlite`);
  await cluster.startCoordinator(env);
  return {
    cluster,
    env,
    darken: (words: string, ...queues: string[]): void => {
      for (const queue of queues) writeFileSync(file(queue), words);
    },
    lighten: (): void => {
      for (const queue of ['units', 'events']) rmSync(file(queue), { force: true });
    },
    pool: async (): Promise<PoolView> => {
      const { pools } = await cluster.get<{ pools: PoolView[] }>('/v1/pools');
      return pools.find(({ pool }) => pool === 'cloud')!;
    },
  };
}

const GIVE_UP_MS = 150_000;

test('a cloud goes dark in mid-run: work moves, all tasks end once, and what comes back does no harm', async () => {
  const { cluster, env, darken, lighten, pool } = await stage('outages');
  await using _ = cluster;
  const gate = join(cluster.home, 'gate');
  const marks = join(cluster.home, 'marks');
  mkdirSync(marks);
  cluster.startAgent('cloudy', { slots: 2, env, pool: 'cloud' });
  await waitFor('the agent of the cloud is known', async () => (await pool()).agents === 1, GIVE_UP_MS);
  const outputs = [{ glob: 'outputs/done', required: true }];
  const tasks = { kind: 'count' as const, count: 12 };
  const job = await cluster.submit({ command: marking(marks, gate), tasks, outputs, retry: retry(2) });
  const once = await cluster.submit({
    command: marking(marks, gate),
    tasks: { kind: 'count', count: 2 },
    outputs,
    retry: retry(0),
    placement: { require: { pools: ['cloud'] } },
  });
  await waitFor(
    'tasks run in the cloud',
    async () => (await cluster.job(job)).counts.running >= 1,
    GIVE_UP_MS,
  );
  await waitFor(
    'the others wait there',
    async () => (await cluster.job(once)).counts.dispatched > 0,
    GIVE_UP_MS,
  );

  cluster.startAgent('homely', { slots: 2, env });
  darken('UNAVAILABLE', 'units', 'events');
  await waitFor('the cloud is known to be dark', async () => (await pool()).health.dark, GIVE_UP_MS);
  const losses = async (): Promise<number> =>
    (await cluster.tasks(job)).reduce((sum, task) => sum + task.losses, 0);
  await waitFor('losses are counted', async () => (await losses()) > 0, GIVE_UP_MS);
  await waitFor(
    'work runs at home',
    async () =>
      (await cluster.tasks(job)).some(({ agent, state }) => agent === 'homely' && state === 'running'),
    GIVE_UP_MS,
  );
  writeFileSync(gate, '');
  const view = await cluster.over(job, GIVE_UP_MS);
  assert.equal(view.counts.succeeded, 12, JSON.stringify(view.counts));
  const waiting = await cluster.job(once);
  assert.equal(waiting.counts.lost + waiting.counts.succeeded, 0, 'retry.lost 0 waits for its pool');

  lighten();
  assert.equal((await cluster.over(once, GIVE_UP_MS)).counts.succeeded, 2);
  await waitFor(
    'nothing is left in the cloud',
    async () => {
      const { health, queueDepth, outstandingTasks } = await pool();
      return !health.dark && queueDepth === 0 && outstandingTasks === 0;
    },
    GIVE_UP_MS,
  );
  await cluster.observe(job);
  await cluster.observe(once);
  assert.deepEqual(await cluster.violations(), []);
});

test('a pool that refuses what we send is left alone, and nobody loses anything', async () => {
  const { cluster, env, darken, lighten, pool } = await stage('outages');
  await using _ = cluster;
  cluster.startAgent('cloudy', { slots: 2, env, pool: 'cloud' });
  await waitFor('the agent of the cloud is known', async () => (await pool()).agents === 1, GIVE_UP_MS);
  darken('CLOUD_AUTH send', 'units');
  cluster.startAgent('homely', { slots: 2, env });
  const job = await cluster.submit({
    command: ['true'],
    tasks: { kind: 'count', count: 20 },
    retry: retry(0),
  });
  await waitFor(
    'the refusal is known',
    async () => (await pool()).health.operations['units.send']?.state === 'stopped',
    GIVE_UP_MS,
  );
  const view = await cluster.over(job, GIVE_UP_MS);
  assert.equal(view.counts.succeeded, 20, JSON.stringify(view.counts));
  await cluster.observe(job);
  assert.ok((await cluster.tasks(job)).every(({ losses }) => losses === 0));
  lighten();
  assert.deepEqual(await cluster.violations({ expectNoLosses: true }), []);
});
