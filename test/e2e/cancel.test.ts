import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Cluster } from '../helpers/cluster.ts';
import { waitFor } from '../helpers/wait.ts';

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('cancel ends running, dispatched and waiting tasks, and their processes', async () => {
  await using cluster = await Cluster.create();
  await cluster.startCoordinator();
  cluster.startAgent('a');
  const job = await cluster.submit({ command: ['sleep', '600'], tasks: { kind: 'count', count: 5_000 } });
  await waitFor('2 run and more are dispatched', async () => {
    const { counts } = await cluster.job(job);
    return counts.running === 2 && counts.dispatched > 0;
  });

  const reply = await cluster.call<{ cancelled: number }>('POST', `/v1/jobs/${job}/cancel`, {});
  assert.equal(reply?.cancelled, 5_000);
  const view = await cluster.over(job);
  assert.equal(view.state, 'cancelled');
  assert.equal(view.counts.cancelled, 5_000);
  await waitFor('the agent is idle again', async () => {
    const { agents } = await cluster.get<{ agents: { running: number; units: number }[] }>('/v1/agents');
    return agents.every(({ running, units }) => running === 0 && units === 0);
  });
  // The queue is free for others at once.
  const next = await cluster.submit({ command: ['true'] });
  assert.equal((await cluster.over(next)).state, 'succeeded');
  await cluster.observe(next);
  assert.deepEqual(await cluster.violations(), []);
});

test('a task that ignores TERM, forks grandchildren and calls setsid is killed whole', async () => {
  await using cluster = await Cluster.create();
  await cluster.startCoordinator();
  cluster.startAgent('a', { slots: 1 });
  const marks = join(cluster.home, 'marks');
  // The pids seen inside a PID namespace are not ours: the cgroup- and namespace-free witness is a file that keeps growing.
  const script = `trap '' TERM; (trap '' TERM; while :; do echo g >> ${marks}-grand; sleep 0.05; done) & setsid sh -c "trap '' TERM; while :; do echo s >> ${marks}-setsid; sleep 0.05; done" & while :; do sleep 1; done`;
  const job = await cluster.submit({ command: ['sh', '-c', script], timeout: { graceMs: 200 } });
  const sizeOf = async (name: string): Promise<number> =>
    readFile(`${marks}-${name}`).then(
      (bytes) => bytes.length,
      () => 0,
    );
  await waitFor('all of them run', async () => (await sizeOf('grand')) > 2 && (await sizeOf('setsid')) > 2);

  await cluster.call('POST', `/v1/jobs/${job}/cancel`, {});
  await cluster.over(job);
  await waitFor('nothing writes any more', async () => {
    const before = [await sizeOf('grand'), await sizeOf('setsid')];
    await new Promise((resolve) => setTimeout(resolve, 300));
    return before[0] === (await sizeOf('grand')) && before[1] === (await sizeOf('setsid'));
  });
  assert.ok(alive(cluster.agents.get('a')!.child.pid!), 'the agent itself lives');
});

test('a task over its time limit fails with the reason timeout, and is tried again when it may', async () => {
  await using cluster = await Cluster.create();
  await cluster.startCoordinator();
  cluster.startAgent('a', { slots: 1 });
  const job = await cluster.submit({
    command: ['sleep', '600'],
    timeout: { runMs: 300, graceMs: 100 },
    retry: { limit: 1, backoff: { initialMs: 10, factor: 1, maxMs: 10 } },
  });
  assert.equal((await cluster.over(job)).state, 'failed');
  const task = await cluster.task(job, 0);
  assert.equal(task.reason, 'timeout');
  assert.equal(task.failures, 2);
  await cluster.observe(job);
  assert.deepEqual(await cluster.violations(), []);
});
