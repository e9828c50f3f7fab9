import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { agentView, jobEvent, jobView, outputView, taskView } from '../../../../coordinator/http/api.ts';
import { type JobId, newJobId } from '../../../../shared/ids.ts';
import { TASK_STATES, type TaskState } from '../../../../shared/task-state.ts';
import { retryOf, Rig } from './rig.ts';

const file = (path: string) => ({ path, key: `results/${path}`, sizeBytes: 1, sha256: 'ab' });

/** A job with tasks in every state: 0 succeeded, 1 failed, 2 lost, 3 cancelled, 4 backoff, 5 running, 6 dispatched, 7 … ready. */
function mixed(rig: Rig): JobId {
  const job = rig.count(20, { retry: retryOf(1, 0) });
  const unit = rig.unit(job, 5);
  const a = rig.agent('a');
  a.hello();
  a.holds(unit);
  rig.state.cancel(job, [3], 'asked', rig.now);
  a.reports(
    a.outcome(unit, 0, { outputs: [file('x'), file('y')], stdout: { bytes: 2, inline: 'hi' } }),
    a.outcome(unit, 1, { result: 'failed', message: 'bad', exitCode: 7 }),
  );
  rig.now += 1_000;
  rig.state.endBackoffs(rig.now);
  const again = rig.unit(job);
  a.fails(again, 0, { exitCode: 7, message: 'bad' });
  a.fails(unit, 4);
  a.holds();
  rig.rescue();
  const [running] = rig.units(job, [1, 1]);
  a.started(running!);
  return job;
}

describe('views', () => {
  test('speak the API’s types', () => {
    using rig = new Rig();
    const job = mixed(rig);
    rig.export();
    jobView.strict().parse(rig.state.job(job));
    for (const task of rig.state.tasks(job, { limit: 100 }).tasks) taskView.strict().parse(task);
    for (let index = 0; index < 8; index += 1) taskView.strict().parse(rig.state.task(job, index));
    for (const event of rig.state.events(job, 0, 100)) jobEvent.strict().parse(event);
    for (const agent of rig.state.agents()) agentView.strict().parse(agent);
    for (const output of rig.state.outputs(job, { limit: 10 }).outputs) outputView.strict().parse(output);
  });

  test('tasks by state, in pages, with those that have no row', () => {
    using rig = new Rig();
    const job = mixed(rig);
    rig.export();
    const expected: [TaskState, number[]][] = [
      ['succeeded', [0]],
      ['failed', [1]],
      ['lost', [2]],
      ['cancelled', [3]],
      ['backoff', [4]],
      ['running', [5]],
      ['dispatched', [6]],
      ['ready', Array.from({ length: 13 }, (_, n) => n + 7)],
      ['blocked', []],
    ];
    const indices = (state: TaskState | undefined): number[] => {
      const found: number[] = [];
      for (let after = -1; ; ) {
        const page = rig.state.tasks(job, { limit: 4, after, state });
        found.push(...page.tasks.map(({ index }) => index));
        if (page.next === undefined) return found;
        after = Number(page.next);
      }
    };
    for (const [state, found] of expected) assert.deepEqual(indices(state), found, state);
    assert.deepEqual(
      indices(undefined),
      Array.from({ length: 20 }, (_, n) => n),
    );
    assert.deepEqual(rig.state.retryable(job), [1, 2]);
    const counts = Object.fromEntries(
      TASK_STATES.map((state) => [state, expected.find(([name]) => name === state)?.[1].length]),
    );
    assert.deepEqual(rig.state.job(job)?.counts, counts);
    assert.deepEqual(rig.state.totals(), { tasks: counts, jobs: 1 });
  });

  test('what is terminal but not exported is among the running', () => {
    using rig = new Rig();
    const job = mixed(rig);
    assert.deepEqual(
      rig.state.tasks(job, { limit: 100, state: 'running' }).tasks.map(({ index }) => index),
      [0, 1, 2, 3, 5],
    );
    for (const state of ['succeeded', 'failed', 'lost', 'cancelled'] as const)
      assert.deepEqual(rig.state.tasks(job, { limit: 100, state }).tasks, [], state);
    assert.deepEqual(rig.state.outputs(job, { limit: 10 }).outputs, []);
    assert.deepEqual(rig.state.taskOutputs(job, 0), []);
    assert.equal(rig.state.job(job)?.counts.running, 5);
  });

  test('a task tells its attempts, exit and outputs', () => {
    using rig = new Rig();
    const job = mixed(rig);
    rig.export();
    assert.deepEqual(rig.attempts(job, 1), ['1.1 failed', '1.2 failed']);
    const failed = rig.task(job, 1);
    assert.deepEqual(
      [failed.exitCode, failed.message, failed.reason, failed.failures],
      [7, 'bad', 'exit', 2],
    );
    assert.deepEqual(rig.attempts(job, 5), ['1.1 open']);
    assert.equal(rig.task(job, 5).agent, 'a');
    assert.equal(rig.state.task(job, 20), undefined);
    const { run } = rig.task(job, 0);
    assert.equal(rig.state.outcome(job, 0, run!)?.stdout.inline, 'hi');
    assert.equal(rig.state.outcome(job, 0, '1.9-zz'), undefined);
    assert.deepEqual(
      rig.state.taskOutputs(job, 0),
      [file('x'), file('y')].map((output) => ({ run, pool: 'local', ...output })),
    );
    assert.deepEqual(
      rig.state.outputs(job, { limit: 1 }).outputs.map(({ index, path }) => [index, path]),
      [
        [0, 'x'],
        [0, 'y'],
      ],
    );
  });

  test('jobs, newest first, by label, name, owner and state, in pages', () => {
    using rig = new Rig();
    const [one, two, three] = [
      rig.count(1, { name: 'alpha', labels: { stage: 'x' } }),
      rig.count(1, { name: 'beta', labels: { stage: 'y' }, owner: 'other' }),
      rig.count(1, { name: 'alphabet', hold: true }),
    ];
    const ids = (query: object): string[] => rig.state.jobs({ limit: 10, ...query }).jobs.map(({ id }) => id);
    assert.deepEqual(ids({}), [three, two, one]);
    assert.deepEqual(ids({ label: 'stage' }), [two, one]);
    assert.deepEqual(ids({ label: 'stage=x' }), [one]);
    assert.deepEqual(ids({ name: 'alpha' }), [three, one]);
    assert.deepEqual(ids({ owner: 'other' }), [two]);
    assert.deepEqual(ids({ state: 'held' }), [three]);
    const first = rig.state.jobs({ limit: 2 });
    assert.deepEqual([first.next, ids({ limit: 2, after: first.next })], [two, [one]]);
    assert.equal(rig.state.jobs({ limit: 3 }).next, undefined);
  });

  test('ids by prefix', () => {
    using rig = new Rig();
    const job = rig.count(1);
    assert.deepEqual(rig.state.jobIds(job.slice(0, 12), 5), [job]);
    assert.deepEqual(rig.state.jobIds('zz', 5), []);
    assert.equal(rig.state.job(newJobId()), undefined);
  });

  test('agents: the newest boot of each, live ones first', () => {
    using rig = new Rig();
    rig.agent('a', 'boot-1').hello();
    rig.agent('b', 'boot-1').hello();
    rig.agent('b', 'boot-2').hello();
    rig.agent('b', 'boot-2').say({ type: 'rejected', why: 'x', sample: '' });
    rig.now += 5_000;
    rig.silence();
    rig.agent('c', 'boot-1').hello(3);
    assert.deepEqual(
      rig.state.agents().map(({ agent, boot, state }) => [agent, boot, state]),
      [
        ['c', 'boot-1', 'live'],
        ['b', 'boot-2', 'silent'],
        ['a', 'boot-1', 'silent'],
      ],
    );
  });

  test('expected end: what is left, over all slots', () => {
    using rig = new Rig();
    const job = rig.count(11);
    const a = rig.agent('a');
    a.hello(2);
    assert.equal(rig.state.job(job)?.expectedEndAt, null);
    const unit = rig.unit(job);
    a.reports(a.outcome(unit, 0, { startedAt: rig.now - 100, endedAt: rig.now }));
    rig.export();
    assert.equal(rig.state.job(job)?.meanTaskMs, 100);
    assert.equal(rig.state.job(job)?.expectedEndAt, rig.now + 500);
  });

  test('events of a job are bounded, the latest are kept', () => {
    using rig = new Rig();
    const job = rig.count(10_050);
    rig.state.transaction(() =>
      rig.units(
        job,
        Array.from({ length: 10_050 }, () => 1),
      ),
    );
    const events = rig.state.events(job, 0, 20_000);
    assert.deepEqual([events.length, events[0]?.seq, events.at(-1)?.seq], [10_000, 52, 10_051]);
  });
});
