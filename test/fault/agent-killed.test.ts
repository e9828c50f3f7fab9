import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Cluster, QUICK } from '../helpers/cluster.ts';
import { waitFor } from '../helpers/wait.ts';

/** A task that runs until the gate file is there. */
const untilGate = (gate: string): string[] => [
  'sh',
  '-c',
  `while [ ! -e '${gate}' ]; do sleep 0.05; done; echo done`,
];

test('kill -9 of an agent with 2 tasks running and 50 queued: another agent finishes all', async () => {
  // Everything is pushed ahead: the 50 wait in the queue itself, not with the coordinator.
  await using cluster = await Cluster.create({ ...QUICK, lookahead: 'off' });
  const gate = join(cluster.home, 'gate');
  await cluster.startCoordinator();
  const doomed = cluster.startAgent('doomed');
  const job = await cluster.submit({ command: untilGate(gate), tasks: { kind: 'count', count: 52 } });
  await waitFor('2 tasks run and 50 are queued', async () => {
    const { counts } = await cluster.job(job);
    return counts.running === 2 && counts.dispatched === 50;
  });

  await doomed.kill();
  await writeFile(gate, '');
  cluster.startAgent('successor');
  const view = await cluster.over(job);

  assert.equal(view.counts.succeeded, 52);
  const tasks = await cluster.observe(job);
  assert.deepEqual(await cluster.violations(), []);
  const attempts = (await Promise.all(tasks.map(({ index }) => cluster.task(job, index)))).flatMap(
    (task) => task.attempts ?? [],
  );
  const lost = attempts.filter(({ result }) => result === 'lost');
  assert.ok(lost.length >= 2, `the loss of the two running tasks is recorded, found ${String(lost.length)}`);
  assert.ok(
    lost.every(({ reason }) => reason !== null && reason !== ''),
    'each loss has its reason',
  );
});

test('SIGSTOP of an agent past its lease and the dead time, then SIGCONT: one visible result, the stale run superseded', async () => {
  await using cluster = await Cluster.create();
  const gates = join(cluster.home, 'gates');
  await mkdir(gates);
  await cluster.startCoordinator();
  const paused = cluster.startAgent('paused', { slots: 1 });
  const command = [
    'sh',
    '-c',
    `while [ ! -e "${gates}/$CLOBI_ATTEMPT" ]; do sleep 0.05; done; echo "$CLOBI_ATTEMPT" > outputs/attempt`,
  ];
  const job = await cluster.submit({ command, outputs: [{ glob: 'outputs/attempt', required: true }] });
  await waitFor('it runs', async () => (await cluster.job(job)).counts.running === 1);
  const first = (await cluster.task(job, 0)).attempt ?? '';

  await cluster.suspend(paused);
  cluster.startAgent('other', { slots: 1 });
  const second = await waitFor('the next attempt runs', async () => {
    const task = await cluster.task(job, 0);
    return task.state === 'running' && task.attempt !== null && task.attempt !== first && task.attempt;
  });
  await writeFile(join(gates, second), '');
  await cluster.over(job);
  const before = await cluster.task(job, 0);
  // The stale run ends only now, after the other one is final.
  paused.signal('SIGCONT');
  await writeFile(join(gates, first), '');

  // Whether it ended by itself or was told to stop before: its own report arrives and is recorded, and changes nothing.
  const run = before.attempts?.find(({ attempt }) => attempt === first)?.run ?? '';
  assert.match(run, new RegExp(`^${first}-`), 'the run of the first attempt is known');
  await waitFor('the stale run is recorded as superseded', async () => {
    const { events } = await cluster.get<{ events: { type: string; text: string }[] }>(
      `/v1/jobs/${job}/events`,
    );
    return events.some(({ type, text }) => type === 'superseded' && text.includes(run));
  });
  const after = await cluster.task(job, 0);
  assert.deepEqual([after.state, after.run], ['succeeded', before.run]);
  assert.equal(after.attempts?.find(({ attempt }) => attempt === first)?.result, 'lost');
  await cluster.observe(job);
  assert.deepEqual(await cluster.violations(), []);
});
