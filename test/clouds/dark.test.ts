import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Fault, FaultProxy } from '../helpers/fault-proxy.ts';
import { type Service, ThreeClouds } from '../helpers/three-clouds.ts';
import { waitFor } from '../helpers/wait.ts';

const TASKS = 240;

interface Case {
  name: string;
  services: Service[];
  fault: Fault;
  /** How long it lasts; null: until all tasks have ended without it. */
  lastsMs: number | null;
}

const SLOW_DOWN = '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>';
const busy: Fault = {
  kind: 'status',
  status: 503,
  body: SLOW_DOWN,
  headers: { 'x-ms-error-code': 'ServerBusy' },
};
const AZURE: Service[] = ['azureQueue', 'azureBlob'];

const CASES: readonly Case[] = [
  { name: 'the Azure endpoint dies', services: AZURE, fault: { kind: 'refuse' }, lastsMs: null },
  { name: 'SQS dies', services: ['sqs'], fault: { kind: 'refuse' }, lastsMs: null },
  { name: 'S3 dies', services: ['s3'], fault: { kind: 'refuse' }, lastsMs: null },
  {
    name: 'SQS takes connections and never answers',
    services: ['sqs'],
    fault: { kind: 'silent' },
    lastsMs: null,
  },
  { name: 'AWS throttles for 20 s', services: ['sqs', 's3'], fault: busy, lastsMs: 20_000 },
  { name: 'Azure throttles for 20 s', services: AZURE, fault: busy, lastsMs: 20_000 },
  {
    name: 'one answer in three of both queues is lost',
    services: ['sqs', 'azureQueue'],
    fault: { kind: 'lose-answer', oneIn: 3 },
    lastsMs: 20_000,
  },
  {
    name: 'every request takes 400 ms',
    services: ['sqs', 's3', ...AZURE],
    fault: { kind: 'delay', ms: 400 },
    lastsMs: 20_000,
  },
];

describe('in the middle of a job over three pools', () => {
  for (const one of CASES)
    it(one.name, { timeout: 240_000 }, async () => {
      await using clouds = await ThreeClouds.create({ holdDown: 2_000 });
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
      for (const proxy of harmed) proxy.set(one.fault);
      await endOf(one, harmed, () => cluster.over(job, 180_000));
      const view = await cluster.over(job, 120_000);
      assert.equal(view.counts.succeeded, TASKS);
      assert.ok(
        harmed.some((proxy) => proxy.harmed > 0),
        'the fault was met',
      );
      // Back again, what the queues still hold must do no harm: a second job runs beside it.
      const after = await cluster.submit({ command: ['true'], tasks: { kind: 'count', count: 30 } });
      assert.equal((await cluster.over(after, 120_000)).counts.succeeded, 30);
      await cluster.observe(job);
      await cluster.observe(after);
      assert.deepEqual(await cluster.violations({ copiesAllowed: true }, clouds.storeUrls()), []);
    });
});

/** Ends the fault after its time, or once the job is over in spite of it. */
async function endOf(one: Case, harmed: readonly FaultProxy[], over: () => Promise<unknown>): Promise<void> {
  if (one.lastsMs === null) await over();
  else {
    const end = Date.now() + one.lastsMs;
    await waitFor('the fault has lasted', () => Date.now() >= end, one.lastsMs + 5_000);
  }
  for (const proxy of harmed) proxy.set({ kind: 'none' });
}
