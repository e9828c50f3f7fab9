import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isCode } from '../../../../shared/errors.ts';
import { newJobId } from '../../../../shared/ids.ts';
import { specOf } from '../../../helpers/cluster.ts';
import { POOL, retryOf, Rig } from './rig.ts';

describe('submit', () => {
  test('a staged job is neither shown nor dispatched, and outlives a crash with its items', () => {
    using rig = new Rig();
    const items = Array.from({ length: 600 }, (_, n) => ({ item: n }));
    const spec = specOf({ command: ['true'], tasks: { kind: 'items', count: 600 } });
    const job = { id: newJobId(), spec, specSha256: 'abc', itemSet: rig.itemSet(items), submittedAt: 5 };
    assert.deepEqual(rig.state.stageJob(job), { job: job.id, created: true, acknowledged: false });
    assert.equal(rig.state.job(job.id), undefined);
    assert.deepEqual(rig.state.candidates(10), []);
    rig.crash();
    assert.deepEqual(rig.state.stagedJobs(), [job]);
    rig.state.acknowledgeJob(job.id, 6);
    rig.state.acknowledgeJob(job.id, 7);
    assert.deepEqual(rig.state.stagedJobs(), []);
    assert.equal(rig.state.job(job.id)?.counts.ready, 600);
    assert.deepEqual(rig.state.params(job.id, 599), { item: 599 });
    assert.equal(rig.state.params(job.id, 600), undefined);
  });

  test('items come in parts of any size, and are read in their order, one by one and as lines', () => {
    using rig = new Rig();
    const items = Array.from({ length: 1_000 }, (_, n) => ({ item: `${String(n)}, "]` }));
    const set = rig.state.newItemSet();
    const texts = items.map((item) => JSON.stringify(item));
    for (let from = 0, size = 0; from < texts.length; from += size)
      rig.state.addItems(set, texts.slice(from, from + (size = (size * 2 + 1) % 700)));
    assert.deepEqual([...rig.state.itemLines(set)].join(''), texts.map((text) => `${text}\n`).join(''));
    assert.deepEqual(rig.state.itemSetSize(set), { items: 1_000, bytes: texts.join('\n').length + 1 });
    const job = { id: newJobId(), specSha256: '', itemSet: set, submittedAt: 5 };
    const spec = specOf({ command: ['true'], tasks: { kind: 'items', count: 1_000 } });
    rig.state.stageJob({ ...job, spec });
    for (const [n, item] of items.entries()) assert.deepEqual(rig.state.params(job.id, n), item);
  });

  test('items are forgotten only while no job names them', () => {
    using rig = new Rig();
    const job = rig.submit({ tasks: { kind: 'items', count: 1 } }, [{ item: 'kept' }]);
    const loose = rig.itemSet([{ item: 'loose' }]);
    const dropped = rig.itemSet([{ item: 'dropped' }]);
    rig.state.dropItemSet(dropped);
    rig.state.dropItemSet(rig.state.itemSet(job) ?? 0);
    assert.deepEqual(rig.state.itemSetSize(dropped), { items: 0, bytes: 0 });
    rig.crash();
    assert.equal(rig.state.dropLooseItemSets(), 1);
    assert.deepEqual([...rig.state.itemLines(loose)], []);
    assert.deepEqual(rig.state.params(job, 0), { item: 'kept' });
  });

  test('an idempotency key gives the first job, to its owner alone', () => {
    using rig = new Rig();
    const stage = (owner: string) =>
      rig.state.stageJob({
        id: newJobId(),
        spec: specOf({ command: ['true'], owner, idempotencyKey: 'k' }),
        specSha256: '',
        itemSet: null,
        submittedAt: 1,
      });
    const first = stage('a');
    assert.deepEqual(stage('a'), { job: first.job, created: false, acknowledged: false });
    rig.state.acknowledgeJob(first.job, 2);
    assert.deepEqual(stage('a'), { job: first.job, created: false, acknowledged: true });
    assert.equal(stage('b').created, true);
  });

  test('a task’s parameters come from the matrix', () => {
    using rig = new Rig();
    const matrix = {
      axes: [
        { name: 'x', values: [1, 2] },
        { name: 'y', values: ['a', 'b'] },
      ],
      exclude: [],
      include: [],
    };
    const job = rig.submit({ tasks: { kind: 'matrix', count: 4, matrix } });
    assert.deepEqual(rig.state.params(job, 2), { matrix: { x: 2, y: 'a' } });
  });

  test('a held job waits for its release', () => {
    using rig = new Rig();
    const job = rig.count(1, { hold: true });
    assert.equal(rig.state.job(job)?.state, 'held');
    assert.deepEqual(rig.units(job, [1]), []);
    rig.state.releaseJob(job, rig.now);
    assert.equal(rig.state.candidates(1)[0]?.job, job);
  });

  test('a retry has rows for its indices alone, with their own numbers', () => {
    using rig = new Rig();
    const job = rig.submit({
      tasks: { kind: 'count', count: 100 },
      retryOf: { job: rig.count(100), indices: [3, 97] },
    });
    assert.equal(rig.state.job(job)?.tasks, 2);
    assert.equal(rig.state.task(job, 4), undefined);
    assert.deepEqual(
      rig.unit(job, 5).tasks.map(({ index }) => index),
      [3, 97],
    );
  });

  test('a throw inside a transaction undoes all of it, also in memory', () => {
    using rig = new Rig();
    const job = rig.count(10);
    assert.throws(
      () => rig.state.transaction(() => (rig.units(job, [5]), rig.state.cancel(newJobId(), null, '', 1))),
      (error) => isCode(error, 'NOT_FOUND'),
    );
    assert.equal(rig.state.job(job)?.counts.ready, 10);
    assert.equal(rig.state.load(POOL, 1).outstandingTasks, 0);
    assert.equal(rig.unit(job, 10).tasks.length, 10);
  });
});

describe('dispatch', () => {
  test('takes the lowest indices first, also of what is ready for the second time', () => {
    using rig = new Rig();
    const job = rig.count(10, { retry: retryOf(1, 3) });
    const [one, two] = rig.units(job, [3, 2]);
    assert.deepEqual(
      [one, two].map((unit) => unit!.tasks.map(({ index }) => index)),
      [
        [0, 1, 2],
        [3, 4],
      ],
    );
    const a = rig.agent('a');
    a.fails(one!, 1);
    assert.equal(rig.task(job, 1).state, 'backoff');
    const { nextAt } = rig.state.endBackoffs(rig.now);
    assert.equal(nextAt, rig.now + 50);
    rig.now = nextAt!;
    assert.deepEqual(rig.state.endBackoffs(rig.now), { ended: 1, nextAt: null });
    assert.deepEqual(rig.unit(job, 3).tasks, [
      { index: 1, attempt: 2 },
      { index: 5, attempt: 1 },
      { index: 6, attempt: 1 },
    ]);
  });

  test('a cancelled index among the rest is passed over', () => {
    using rig = new Rig();
    const job = rig.count(6);
    rig.state.cancel(job, [1, 3], 'asked', rig.now);
    assert.deepEqual(
      rig.units(job, [3, 3]).map(({ tasks }) => tasks.map(({ index }) => index)),
      [[0, 2, 4], [5]],
    );
  });

  test('never more of a job out than maxParallel', () => {
    using rig = new Rig();
    const job = rig.count(10, { maxParallel: 3 });
    assert.deepEqual(
      rig.units(job, [2, 2]).map(({ tasks }) => tasks.length),
      [2, 1],
    );
    assert.deepEqual(rig.units(job, [1]), []);
  });

  test('the outbox passes over void units and those without an open task, and drops tasks that are over', () => {
    using rig = new Rig();
    const job = rig.count(4);
    const [one, two] = rig.units(job, [2, 2], { send: false });
    rig.state.cancel(job, [0, 2, 3], 'asked', rig.now);
    assert.deepEqual(
      rig.state.unsentUnits(POOL, 10).map(({ unit, tasks }) => [unit, tasks.map(({ index }) => index)]),
      [[one!.unit, [1]]],
    );
    assert.equal(two!.tasks.length, 2);
    assert.deepEqual(rig.state.unsentUnits('other', 10), []);
  });

  test('the first jobs of every owner are among the candidates, however many of another owner came before', () => {
    using rig = new Rig();
    const crowd = Array.from({ length: 12 }, () => rig.count(5, { owner: 'crowd' }));
    const other = rig.count(5, { owner: 'other' });
    const urgent = rig.count(5, { owner: 'third', priority: 1 });
    assert.deepEqual(
      rig.state.candidates(3).map(({ job }) => job),
      [urgent, ...crowd.slice(0, 2), other],
    );
    rig.unit(crowd[0]!, 5);
    rig.unit(other, 2);
    assert.deepEqual(
      rig.state.outstandingByOwner(),
      new Map([
        ['crowd', 5],
        ['other', 2],
      ]),
    );
  });

  test('candidates come by priority, then submission; the load counts what is out', () => {
    using rig = new Rig();
    const low = rig.count(5);
    const high = rig.count(5, { priority: 1 });
    assert.deepEqual(
      rig.state.candidates(10).map(({ job }) => job),
      [high, low],
    );
    rig.unit(high, 5);
    assert.deepEqual(
      rig.state.candidates(10).map(({ job }) => job),
      [low],
    );
    assert.deepEqual(
      [
        rig.state.load(POOL, 7).outstandingTasks,
        rig.state.load(POOL, 7).outstandingUnits,
        rig.state.load(POOL, 7).outstandingMs,
      ],
      [5, 1, 35],
    );
    assert.equal(rig.state.queuePosition(low), 1);
    assert.equal(rig.state.queuePosition(high), null);
  });

  test('the load has live agents, not those that drain or are gone', () => {
    using rig = new Rig();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => rig.agent(name));
    a!.hello(2);
    b!.hello(4);
    c!.hello(8);
    assert.deepEqual([rig.state.load(POOL, 1).slots, rig.state.load(POOL, 1).shapes.length], [14, 1]);
    b!.say({ type: 'draining' });
    c!.say({ type: 'goodbye' });
    assert.equal(rig.state.load(POOL, 1).slots, 2);
    assert.deepEqual(rig.state.requestDrain(a!.agent), [POOL]);
    assert.deepEqual(rig.state.requestDrain(c!.agent), []);
    assert.deepEqual(rig.state.drains(POOL), ['a/a-boot-1']);
    // Its next life is not meant.
    rig.agent('a', 'a-boot-2').hello(2);
    assert.deepEqual(rig.state.drains(POOL), []);
    assert.equal(rig.state.load(POOL, 1).liveAgents, 1);
  });
});
