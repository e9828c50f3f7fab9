import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { diesAt } from '../helpers/process.ts';
import { startEmulators, ThreeClouds } from '../helpers/three-clouds.ts';
import { waitFor } from '../helpers/wait.ts';

/** The points of R2 and R4 once more, where messages and objects are in emulated clouds. */
const TASKS = 24;
const CLOUDS = ['aws', 'azure'];

const emulators = await startEmulators();
after(() => Promise.all([emulators.aws[Symbol.asyncDispose](), emulators.azure[Symbol.asyncDispose]()]));

const spec = (pools: string[]) => ({
  command: ['sh', '-c', 'echo "$CLOBI_TASK_INDEX" > out.txt'],
  outputs: [{ glob: 'out.txt', required: true }],
  tasks: { kind: 'count' as const, count: TASKS },
  placement: { require: { pools } },
});

async function judge(clouds: ThreeClouds, job: string): Promise<void> {
  assert.equal((await clouds.cluster.over(job)).counts.succeeded, TASKS);
  await clouds.cluster.observe(job);
  assert.deepEqual(await clouds.cluster.violations({ copiesAllowed: true }, clouds.storeUrls()), []);
}

// Most of a test is waiting: several run at the same time.
describe('kill -9 of the coordinator while it sends to both clouds, at', { concurrency: 2 }, () => {
  for (const point of ['dispatch.before-send', 'dispatch.after-send', 'dispatch.after-mark'])
    test(point, async () => {
      await using clouds = await ThreeClouds.create({}, emulators);
      const { cluster } = clouds;
      await cluster.startCoordinator();
      for (const pool of CLOUDS) cluster.startAgent(`at-${pool}`, { pool });
      await waitFor('both agents are known', async () => {
        const { agents } = await cluster.get<{ agents: unknown[] }>('/v1/agents');
        return agents.length === CLOUDS.length;
      });
      await cluster.coordinator?.kill();
      const doomed = await cluster.startCoordinator({ CLOBI_FAULT: point });
      const submitted = cluster.submit(spec(CLOUDS));
      await diesAt(doomed, point);
      await cluster.startCoordinator();
      await judge(clouds, await submitted);
    });
});

describe('kill -9 of an agent', { concurrency: 2 }, () => {
  for (const pool of CLOUDS)
    for (const point of [
      'task.after-run',
      'report.before-segment',
      'report.after-segment',
      'report.after-event',
    ])
      test(`of ${pool} at ${point}`, async () => {
        await using clouds = await ThreeClouds.create({}, emulators);
        const { cluster } = clouds;
        await cluster.startCoordinator();
        const doomed = cluster.startAgent('doomed', { pool, env: { CLOBI_FAULT: point } });
        const job = await cluster.submit(spec([pool]));
        await diesAt(doomed, point);
        cluster.startAgent('successor', { pool });
        await judge(clouds, job);
      });
});
