import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JobId } from '../../../../shared/ids.ts';
import { retryOf, Rig } from './rig.ts';

describe('verdicts', () => {
  test('a batch keeps its number and content over a crash, until it is marked', () => {
    using rig = new Rig();
    const job = rig.count(3);
    const unit = rig.unit(job, 3);
    const a = rig.agent('a');
    a.succeeds(unit, 0);
    const first = rig.state.pendingVerdicts(10);
    a.succeeds(unit, 1);
    rig.crash();
    assert.deepEqual(rig.state.pendingVerdicts(10), first);
    rig.state.markExported(first!.number, rig.now);
    rig.state.markExported(first!.number, rig.now);
    assert.deepEqual([rig.task(job, 0).state, rig.task(job, 1).state], ['succeeded', 'running']);
    const second = rig.state.pendingVerdicts(10);
    assert.deepEqual([second?.number, second?.verdicts.map(({ index }) => index)], [first!.number + 1, [1]]);
  });

  test('name task, state, run and reason', () => {
    using rig = new Rig();
    const job = rig.count(2);
    const unit = rig.unit(job, 2);
    const a = rig.agent('a');
    const [good, bad] = [a.outcome(unit, 0), a.outcome(unit, 1, { result: 'failed', reason: 'timeout' })];
    a.reports(good, bad);
    assert.deepEqual(rig.export(), [
      { job, index: 0, state: 'succeeded', run: good.run, reason: null, at: good.endedAt },
      { job, index: 1, state: 'failed', run: bad.run, reason: 'timeout', at: bad.endedAt },
    ]);
  });

  test('tasks that were never touched are one line for each stretch', () => {
    using rig = new Rig();
    const job = rig.count(1_000_000);
    rig.unit(job, 2);
    rig.state.cancel(job, [500_000], 'one', rig.now);
    rig.state.cancel(job, null, 'all', rig.now);
    const ranges = rig.export().filter(({ to }) => to !== undefined);
    assert.deepEqual(
      ranges.map(({ index, to }) => [index, to]),
      [
        [2, 499_999],
        [500_001, 999_999],
      ],
    );
    assert.equal(rig.state.job(job)?.counts.cancelled, 1_000_000);
  });

  test('a new epoch numbers anew and exports what was not marked', () => {
    using rig = new Rig();
    const job = rig.count(1);
    rig.agent('a').succeeds(rig.unit(job));
    rig.export();
    rig.agent('a').succeeds(rig.unit(rig.count(1)));
    assert.equal(rig.state.pendingVerdicts(1)?.number, 2);
    rig.state.setEpoch(2);
    assert.equal(rig.state.pendingVerdicts(1)?.number, 1);
  });
});

describe('dependencies', () => {
  const after = (job: JobId, fields: Partial<{ after: 'success' | 'end'; by: 'job' | 'tasks' }> = {}) => ({
    depends: [{ job, after: 'success' as const, by: 'job' as const, ...fields }],
  });
  const finish = (rig: Rig, job: JobId, results: ('succeeded' | 'failed')[]): void => {
    const unit = rig.unit(job, results.length);
    const a = rig.agent('a');
    a.reports(...results.map((result, at) => a.outcome(unit, at, { result })));
  };

  test('by job: ready only when all of upstream is exported', () => {
    using rig = new Rig();
    const up = rig.count(2);
    const down = rig.count(5, after(up));
    finish(rig, up, ['succeeded', 'succeeded']);
    assert.equal(rig.state.job(down)?.counts.blocked, 5, 'not exported yet');
    rig.export();
    assert.equal(rig.state.job(down)?.counts.ready, 5);
  });

  test('by job: a failed upstream cancels dependents, and theirs', () => {
    using rig = new Rig();
    const up = rig.count(2);
    const down = rig.count(5, after(up));
    const further = rig.count(5, after(down));
    const anyhow = rig.count(5, after(down, { after: 'end' }));
    finish(rig, up, ['succeeded', 'failed']);
    rig.export();
    assert.deepEqual(
      [rig.state.job(down)?.state, rig.state.job(down)?.cancelReason],
      ['cancelled', 'dependency'],
    );
    assert.equal(rig.state.job(further)?.state, 'cancelled');
    assert.equal(rig.state.job(anyhow)?.counts.ready, 5);
  });

  test('a job submitted after its upstream was over is ready or cancelled at once', () => {
    using rig = new Rig();
    const up = rig.count(1);
    finish(rig, up, ['succeeded']);
    rig.export();
    assert.equal(rig.state.job(rig.count(1, after(up)))?.counts.ready, 1);
    assert.equal(rig.state.job(rig.count(1, after(up, { by: 'tasks' })))?.counts.ready, 1);
  });

  test('by tasks: index by index', () => {
    using rig = new Rig();
    const up = rig.count(4);
    const down = rig.count(4, after(up, { by: 'tasks' }));
    finish(rig, up, ['succeeded', 'failed']);
    rig.export();
    assert.deepEqual(
      [0, 1, 2].map((index) => rig.task(down, index).state),
      ['ready', 'cancelled', 'blocked'],
    );
    assert.deepEqual(
      rig.unit(down, 4).tasks.map(({ index }) => index),
      [0],
    );
  });

  test('by tasks: what upstream never ran is settled as a whole', () => {
    for (const [how, ready] of [
      ['success', 1],
      ['end', 1_000],
    ] as const) {
      using rig = new Rig();
      const up = rig.count(1_000);
      const down = rig.count(1_000, after(up, { by: 'tasks', after: how }));
      finish(rig, up, ['succeeded']);
      rig.state.cancel(up, null, 'asked', rig.now);
      rig.export();
      const { counts } = rig.state.job(down)!;
      assert.deepEqual([counts.ready, counts.cancelled, counts.blocked], [ready, 1_000 - ready, 0]);
    }
  });

  test('several: all must hold, and one that is broken is enough', () => {
    using rig = new Rig();
    const [whole, each] = [rig.count(1), rig.count(3)];
    const depends = [
      { job: whole, after: 'success' as const, by: 'job' as const },
      { job: each, after: 'success' as const, by: 'tasks' as const },
    ];
    const down = rig.count(3, { depends });
    finish(rig, each, ['succeeded', 'failed']);
    rig.export();
    assert.deepEqual(
      [0, 1, 2].map((index) => rig.task(down, index).state),
      ['blocked', 'cancelled', 'blocked'],
    );
    finish(rig, whole, ['succeeded']);
    rig.export();
    assert.deepEqual(
      [0, 1, 2].map((index) => rig.task(down, index).state),
      ['ready', 'cancelled', 'blocked'],
    );
  });

  test('after a rebuild dependents are where the verdicts say', () => {
    using old = new Rig();
    const up = old.count(2);
    const [down, lossless] = [old.count(2, after(up)), old.count(2, { ...after(up), retry: retryOf(0, 0) })];
    finish(old, up, ['succeeded', 'succeeded']);
    old.export();
    using rig = new Rig(2);
    for (const id of [up, down, lossless])
      rig.state.restoreJob({ id, spec: old.state.spec(id)!, specSha256: '', itemSet: null, submittedAt: 1 });
    rig.state.restoreVerdicts(old.exported);
    rig.state.finishRebuild(rig.now);
    assert.equal(rig.state.job(up)?.state, 'succeeded');
    assert.equal(rig.state.job(down)?.counts.ready, 2);
    assert.equal(rig.state.job(lossless)?.counts.lost, 0, 'shown only when exported');
    rig.export();
    assert.equal(rig.state.job(lossless)?.counts.lost, 2);
  });
});
