import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { type Service, startEmulators, ThreeClouds } from '../helpers/three-clouds.ts';
import { waitFor } from '../helpers/wait.ts';

const TASKS = 240;

const emulators = await startEmulators();
after(() => Promise.all([emulators.aws[Symbol.asyncDispose](), emulators.azure[Symbol.asyncDispose]()]));

interface Case {
  name: string;
  services: Service[];
}

const CASES: readonly Case[] = [
  { name: 'the Azure endpoint dies', services: ['azureQueue', 'azureBlob'] },
  { name: 'SQS dies', services: ['sqs'] },
  { name: 'S3 dies', services: ['s3'] },
];

describe('in the middle of a job over three pools', () => {
  for (const one of CASES)
    it(one.name, { timeout: 400_000 }, async () => {
      await using clouds = await ThreeClouds.create({ holdDown: 2_000 }, emulators);
      const { cluster } = clouds;
      await clouds.start();
      const job = await cluster.submit({
        command: ['sh', '-c', 'sleep 0.2; echo "$CLOBI_TASK_INDEX" > out.txt'],
        outputs: [{ glob: 'out.txt', required: true }],
        tasks: { kind: 'count', count: TASKS },
        retry: { lost: 20, backoff: { initialMs: 50, factor: 2, maxMs: 500 } },
      });
      await waitFor('every pool has run a task', async () => {
        const pools = new Set(
          (await cluster.tasks(job)).filter(({ state }) => state === 'succeeded').map(({ pool }) => pool),
        );
        return pools.size === 3;
      });
      const harmed = one.services.map((service) => clouds.proxies[service]);
      for (const proxy of harmed) proxy.set({ kind: 'refuse' });
      const view = await cluster.over(job);
      assert.equal(view.counts.succeeded, TASKS);
      assert.ok(
        harmed.some((proxy) => proxy.harmed > 0),
        'the fault was met',
      );
      for (const proxy of harmed) proxy.set({ kind: 'none' });
      // Back again, what the queues still hold must do no harm: a second job runs beside it.
      const after = await cluster.submit({ command: ['true'], tasks: { kind: 'count', count: 30 } });
      assert.equal((await cluster.over(after)).counts.succeeded, 30);
      await cluster.observe(job);
      await cluster.observe(after);
      assert.deepEqual(await cluster.violations({ copiesAllowed: true }, clouds.storeUrls()), []);
    });
});
