import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Cluster, QUICK } from '../helpers/cluster.ts';

/**
 * A crash between each two steps of submit, dispatch, finish and commit. The process that passes the point dies by
 * SIGKILL, another takes its place, and everything must come right with patience switched off (it would hide a broken rule).
 */
const COORDINATOR_POINTS = [
  'submit.before-row',
  'submit.after-row',
  'submit.after-spec',
  'submit.after-acknowledge',
  'dispatch.after-row',
  'dispatch.after-send',
  'dispatch.after-mark',
  'collect.after-receive',
  'collect.after-commit',
  'collect.after-delete',
  'verdict.before-put',
  'verdict.after-put',
  'verdict.after-mark',
];
const AGENT_POINTS = [
  'take.after-receive',
  'take.after-check',
  'task.after-start',
  'task.after-run',
  'report.before-segment',
  'report.after-segment',
  'report.after-event',
  'report.after-delete',
];
const TASKS = 12;
/** So that the first events after the restart are those of the job. */
const NO_HEARTBEAT = { ...QUICK, heartbeat: 60_000, dead: 120_000 };

async function judge(cluster: Cluster, job: string): Promise<void> {
  const view = await cluster.over(job);
  assert.equal(view.counts.succeeded, TASKS);
  await cluster.observe(job);
  assert.deepEqual(await cluster.violations({ copiesAllowed: true }), []);
}

describe('a crash of the coordinator at', () => {
  for (const point of COORDINATOR_POINTS) {
    test(point, async () => {
      await using cluster = await Cluster.create(NO_HEARTBEAT);
      await cluster.meetAgents('a');
      const doomed = await cluster.startCoordinator({ CLOBI_FAULT: point });
      const submitted = cluster.submit({
        command: ['sh', '-c', 'echo x > outputs/x'],
        tasks: { kind: 'count', count: TASKS },
        outputs: [{ glob: 'outputs/x' }],
      });
      assert.equal((await doomed.exited).signal, 'SIGKILL', `nobody passed ${point}`);
      await cluster.startCoordinator();
      await judge(cluster, await submitted);
    });
  }
});

describe('a crash of an agent at', () => {
  for (const point of AGENT_POINTS) {
    test(point, async () => {
      await using cluster = await Cluster.create();
      await cluster.startCoordinator();
      const doomed = cluster.startAgent('doomed', { env: { CLOBI_FAULT: point } });
      const job = await cluster.submit({
        command: ['sh', '-c', 'echo x > outputs/x'],
        tasks: { kind: 'count', count: TASKS },
        outputs: [{ glob: 'outputs/x' }],
      });
      assert.equal((await doomed.exited).signal, 'SIGKILL', `nobody passed ${point}`);
      cluster.startAgent('successor');
      await judge(cluster, job);
    });
  }
});
