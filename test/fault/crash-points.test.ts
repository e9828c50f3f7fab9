import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { CheckOptions } from '../checker/invariants.ts';
import { Cluster, QUICK } from '../helpers/cluster.ts';
import { diesAt } from '../helpers/process.ts';
import { waitFor } from '../helpers/wait.ts';

/**
 * A crash between each two steps of submit, dispatch, finish and commit. The process that passes the point dies by
 * SIGKILL, another takes its place, and everything must come right with patience switched off (it would hide a broken rule).
 */
const COORDINATOR_POINTS = [
  'submit.after-part',
  'submit.before-row',
  'submit.after-row',
  'submit.after-items',
  'submit.after-spec',
  'submit.after-acknowledge',
  'dispatch.after-row',
  'dispatch.after-params',
  'dispatch.before-send',
  'dispatch.after-send',
  'dispatch.after-mark',
  'collect.after-receive',
  'collect.after-apply',
  'collect.after-commit',
  'collect.after-delete',
  'verdict.before-put',
  'verdict.after-put',
  'verdict.after-mark',
  'over.after-put',
];
const AGENT_POINTS = [
  'take.after-receive',
  'take.after-check',
  'task.after-start',
  'task.after-run',
  'task.after-outputs',
  'report.before-segment',
  'report.after-segment',
  'report.after-event',
  'report.after-delete',
];
const TASKS = 12;
const SHORT = ['sh', '-c', 'echo x > outputs/x'];
/** So that the first events after the restart are those of the job. */
const NO_HEARTBEAT = { ...QUICK, heartbeat: 60_000, dead: 120_000 };

/** A spec and parameters of their own for each task, too big for a message: so every step of a submit and a dispatch is gone through. */
const JOB = {
  command: SHORT,
  tasks: { kind: 'items' as const, count: TASKS },
  outputs: [{ glob: 'outputs/x' }],
};
const ITEMS = Array.from({ length: TASKS }, (_, n) => ({ item: String(n).padEnd(60_000, 'x') }));

async function judge(cluster: Cluster, job: string, options: CheckOptions = {}): Promise<void> {
  const view = await cluster.over(job);
  assert.equal(view.counts.succeeded, view.tasks);
  await cluster.observe(job);
  assert.deepEqual(await cluster.violations(options), []);
}

// Most of a test is waiting: several run at the same time.
describe('a crash of the coordinator at', { concurrency: 3 }, () => {
  for (const point of COORDINATOR_POINTS) {
    test(point, async () => {
      await using cluster = await Cluster.create(NO_HEARTBEAT);
      await cluster.meetAgents('a');
      const doomed = await cluster.startCoordinator({ CLOBI_FAULT: point });
      const submitted = cluster.submit(JOB, ITEMS);
      await diesAt(doomed, point);
      await cluster.startCoordinator();
      // Only a crash after the send makes a copy of a unit: nowhere else may an attempt be begun twice.
      await judge(cluster, await submitted, { copiesAllowed: point === 'dispatch.after-send' });
    });
  }

  test('collect.after-apply, before it has read the segment that an event only names', async () => {
    await using cluster = await Cluster.create(NO_HEARTBEAT);
    await cluster.meetAgents('a');
    const point = 'collect.after-apply';
    // The first batch with events of the job announces its start, the second one brings its outcome.
    const doomed = await cluster.startCoordinator({ CLOBI_FAULT: `${point}:2` });
    const submitted = cluster.submit({
      command: ['sh', '-c', 'sleep 1; i=0; while [ $i -lt 1500 ]; do : > outputs/$i; i=$((i+1)); done'],
      outputs: [{ glob: 'outputs/*' }],
    });
    await diesAt(doomed, point);
    await cluster.startCoordinator();
    await judge(cluster, await submitted);
  });

  for (const point of ['void.after-segments', 'void.after-void']) {
    test(point, async () => {
      await using cluster = await Cluster.create();
      const doomed = await cluster.startCoordinator({ CLOBI_FAULT: point });
      const agent = cluster.startAgent('killed', { env: { CLOBI_FAULT: 'task.after-start:2' } });
      const job = await cluster.submit({ command: ['sleep', '1'], tasks: { kind: 'count', count: 4 } });
      await diesAt(agent, 'task.after-start:2');
      // What had not been claimed when its agent died comes back by the queue: somebody must be there to hand it back.
      cluster.startAgent('successor');
      await diesAt(doomed, point);
      await cluster.startCoordinator();
      await judge(cluster, job);
    });
  }

  for (const point of ['cancel.after-object', 'cancel.after-row']) {
    test(point, async () => {
      await using cluster = await Cluster.create();
      const doomed = await cluster.startCoordinator({ CLOBI_FAULT: point });
      cluster.startAgent('a', { slots: 1 });
      const job = await cluster.submit({ command: ['sleep', '600'], tasks: { kind: 'count', count: 500 } });
      await waitFor('one runs', async () => (await cluster.job(job)).counts.running === 1);
      await cluster.call('POST', `/v1/jobs/${job}/cancel`, {});
      await diesAt(doomed, point);
      await cluster.startCoordinator();
      // Before the row nothing was decided and nobody was told so: the client asks again.
      if (point === 'cancel.after-object')
        await waitFor('it is asked again', () => cluster.call('POST', `/v1/jobs/${job}/cancel`, {}));
      assert.equal((await cluster.over(job)).counts.cancelled, 500);
      await waitFor('the agent has stopped it', async () => {
        const { agents } = await cluster.get<{ agents: { running: number; units: number }[] }>('/v1/agents');
        return agents.every(({ running, units }) => running === 0 && units === 0);
      });
      await cluster.observe(job, false);
      assert.deepEqual(await cluster.violations(), []);
    });
  }

  test('dispatch.before-send of what must never start twice: marked and not sent, it ends as lost and was never begun', async () => {
    const point = 'dispatch.before-send';
    await using cluster = await Cluster.create({ ...NO_HEARTBEAT, patience: 1_000 });
    const began = join(cluster.home, 'began');
    await cluster.meetAgents('a');
    const doomed = await cluster.startCoordinator({ CLOBI_FAULT: point });
    const submitted = cluster.submit({
      command: ['touch', began],
      retry: { lost: 0, backoff: { initialMs: 10, factor: 1, maxMs: 10 } },
    });
    await diesAt(doomed, point);
    await cluster.startCoordinator();
    const job = await submitted;
    assert.equal((await cluster.over(job)).counts.lost, 1);
    assert.equal(existsSync(began), false);
    await cluster.observe(job);
    assert.deepEqual(await cluster.violations(), []);
  });
});

describe('a crash of an agent at', { concurrency: 3 }, () => {
  for (const point of AGENT_POINTS) {
    test(point, async () => {
      await using cluster = await Cluster.create();
      await cluster.startCoordinator();
      const doomed = cluster.startAgent('doomed', { env: { CLOBI_FAULT: point } });
      const job = await cluster.submit(JOB, ITEMS);
      await diesAt(doomed, point);
      cluster.startAgent('successor');
      await judge(cluster, job);
    });
  }

  test('return.after-send, over a unit that another one had died with: handed back twice, it is one loss', async () => {
    await using cluster = await Cluster.create();
    await cluster.startCoordinator();
    const first = cluster.startAgent('first', { slots: 1, env: { CLOBI_FAULT: 'take.after-check' } });
    const job = await cluster.submit({ command: ['true'] });
    await diesAt(first, 'take.after-check');
    const second = cluster.startAgent('second', { slots: 1, env: { CLOBI_FAULT: 'return.after-send' } });
    await diesAt(second, 'return.after-send');
    cluster.startAgent('third', { slots: 1 });
    await judge(cluster, job);
    const { attempts, losses } = await cluster.task(job, 0);
    assert.deepEqual([attempts?.map(({ result }) => result), losses], [['lost', 'succeeded'], 1]);
  });
});
