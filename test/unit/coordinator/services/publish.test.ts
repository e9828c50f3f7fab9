import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { explainJob } from '../../../../coordinator/http/explain.ts';
import type { ApiContext } from '../../../../coordinator/http/server.ts';
import { Janitor } from '../../../../coordinator/services/janitor.ts';
import { openTarget } from '../../../../coordinator/services/publish-target.ts';
import { Publisher } from '../../../../coordinator/services/publisher.ts';
import { rebuildState, stateFile } from '../../../../coordinator/services/rebuild.ts';
import { Submitter } from '../../../../coordinator/services/submitter.ts';
import { openState } from '../../../../coordinator/state/open.ts';
import type { JobSpec } from '../../../../shared/job-spec.ts';
import { silentLogger } from '../../../../shared/log.ts';
import { runIn } from './cloud-run.ts';
import { never } from './hands.ts';
import { makeRig, type Rig, specOf } from './rig.ts';

const placeOf = (rig: Rig, name = 'published'): string => join(rig.context.config.home, name);
const publishing = (rig: Rig, count = 2): JobSpec =>
  specOf({ tasks: { kind: 'count', count }, publish: `file:${placeOf(rig)}` });

describe('the files of finished tasks are published', () => {
  test('by index and path, from the store of the pool where they are, and the job tells', async () => {
    await using rig = await makeRig({}, { clouds: ['north'] });
    const { context } = rig;
    const job = await runIn(context, 'north', publishing(rig), ['out', 'a b/ü#?%.txt']);
    const to = `file:${placeOf(rig)}`;
    assert.deepEqual(context.state.job(job)?.publish, { to, tasks: 0, waiting: 2, failure: null });
    assert.match(explain(rig, job), /outputs of 2 tasks are on the way/);
    await new Publisher(context).runOnce(never);
    assert.equal(readFileSync(join(placeOf(rig), '1', 'a b', 'ü#?%.txt'), 'utf8'), '1 of north');
    assert.deepEqual(readdirSync(placeOf(rig)).sort(), ['0', '1'], 'nothing but the outputs');
    assert.deepEqual(context.state.job(job)?.publish, { to, tasks: 2, waiting: 0, failure: null });
  });

  test('only of a job that asks for it', async () => {
    await using rig = await makeRig({}, { clouds: ['north'] });
    await runIn(rig.context, 'north', specOf());
    assert.deepEqual(rig.context.state.duePublications(rig.clock.ms, 10), []);
  });

  test('again after a while when it could not be done; results stay as long', async () => {
    await using rig = await makeRig({}, { clouds: ['north'] });
    const { context } = rig;
    const spec = { ...publishing(rig), retention: { resultsMs: 1000, logsMs: null } };
    const job = await runIn(context, 'north', spec);
    rmSync(placeOf(rig), { recursive: true });
    writeFileSync(placeOf(rig), 'in the way');
    const publisher = new Publisher(context);
    await publisher.runOnce(never);
    assert.equal(context.state.job(job)?.publish?.failure?.tasks, 2);
    assert.match(
      explain(rig, job),
      /could not be put to file:.*task 0: .*tried 1 time and is tried again at/,
    );
    rig.clock.ms += 2000;
    await new Janitor(context).runOnce();
    rmSync(placeOf(rig));
    await publisher.runOnce(never);
    assert.equal(context.state.job(job)?.publish?.waiting, 0);
    assert.equal(readFileSync(join(placeOf(rig), '0', 'out'), 'utf8'), '0 of north');
    await new Janitor(context).runOnce();
    assert.deepEqual(await context.pools[1]!.store.list('results/'), [], 'then its retention counts');
  });

  test('at once when a person says so, or never: then retention counts', async () => {
    await using rig = await makeRig({}, { clouds: ['north'] });
    const { context } = rig;
    const { state } = context;
    const spec = { ...publishing(rig, 3), retention: { resultsMs: 1000, logsMs: null } };
    const job = await runIn(context, 'north', spec);
    rmSync(placeOf(rig), { recursive: true });
    writeFileSync(placeOf(rig), 'in the way');
    const publisher = new Publisher(context);
    await publisher.runOnce(never);
    assert.deepEqual(state.duePublications(rig.clock.ms, 10), []);
    assert.equal(state.hastenPublications(job, rig.clock.ms), 3);
    assert.equal(state.duePublications(rig.clock.ms, 10).length, 3);
    await publisher.runOnce(never);
    assert.equal(state.job(job)?.publish?.failure?.tries, 1, 'as if for the first time');
    // One that began before it was hastened, and fails after it, does not put it off.
    rig.clock.ms += 10_000;
    const underWay = publisher.runOnce(never);
    state.hastenPublications(job, rig.clock.ms);
    await underWay;
    assert.equal(state.duePublications(rig.clock.ms, 10).length, 3);

    assert.equal(state.giveUpPublications(job, rig.clock.ms), 3);
    assert.equal(state.giveUpPublications(job, rig.clock.ms), 0, 'twice does no harm');
    assert.deepEqual(state.job(job)?.publish, { to: spec.publish, tasks: 0, waiting: 0, failure: null });
    // A put that was under way comes to its end.
    state.notePublished(job, 0);
    assert.equal(state.job(job)?.publish?.tasks, 0);
    rig.clock.ms += 2000;
    await new Janitor(context).runOnce();
    assert.deepEqual(await context.pools[1]!.store.list('results/'), []);
  });

  test('with the same bytes when a crash came between the files and the note of them, and after a rebuild', async () => {
    await using rig = await makeRig({}, { clouds: ['north'] });
    const { context } = rig;
    const job = await runIn(context, 'north', publishing(rig));
    const notePublished = context.state.notePublished.bind(context.state);
    context.state.notePublished = () => {
      throw new Error('crash');
    };
    await new Publisher(context).runOnce(never);
    context.state.notePublished = notePublished;
    rig.clock.ms += 10_000;
    await new Publisher(context).runOnce(never);
    assert.equal(context.state.job(job)?.publish?.tasks, 2);
    context.state.close();
    rmSync(stateFile(context.config.home));
    rmSync(placeOf(rig), { recursive: true });
    await rebuildState({ config: context.config, log: silentLogger });
    const state = openState(stateFile(context.config.home));
    const clock = { now: () => Date.now() + 60_000 };
    await new Publisher({ ...context, state, clock }).runOnce(never);
    assert.equal(readFileSync(join(placeOf(rig), '1', 'out'), 'utf8'), '1 of north');
    assert.equal(state.job(job)?.publish?.tasks, 2);
    state.close();
  });

  test('of the retry, whatever the job before could not put there in time', async () => {
    await using rig = await makeRig({}, { clouds: ['north'] });
    const { context } = rig;
    const spec = publishing(rig, 1);
    const first = await runIn(context, 'north', spec);
    rmSync(placeOf(rig), { recursive: true });
    writeFileSync(placeOf(rig), 'in the way');
    const publisher = new Publisher(context);
    await publisher.runOnce(never);
    rmSync(placeOf(rig));
    const retryOf = { job: first, indices: [0] };
    const retry = await runIn(context, 'local', { ...spec, retryOf });
    await publisher.runOnce(never);
    rig.clock.ms += 10_000;
    await publisher.runOnce(never);
    assert.equal(readFileSync(join(placeOf(rig), '0', 'out'), 'utf8'), '0 of local');
    assert.equal(context.state.job(first)?.publish?.waiting, 0);
    assert.equal(context.state.job(retry)?.publish?.tasks, 1);
  });

  test('no more when they have gone by their retention, as after a rebuild', async () => {
    await using rig = await makeRig({}, { clouds: ['north'] });
    const { context } = rig;
    const spec = { ...publishing(rig, 1), retention: { resultsMs: 1000, logsMs: null } };
    const job = await runIn(context, 'north', spec);
    const { key } = context.state.taskOutputs(job, 0)[0]!;
    await context.pools[1]!.store.remove([key]);
    const publisher = new Publisher(context);
    await publisher.runOnce(never);
    assert.match(context.state.job(job)?.publish?.failure?.message ?? '', /There is no object/);
    rig.clock.ms += 10_000;
    await publisher.runOnce(never);
    const { tasks, waiting } = context.state.job(job)!.publish!;
    assert.deepEqual([tasks, waiting], [0, 0]);
  });

  test('never with other bytes than the task reported', async () => {
    await using rig = await makeRig({}, { clouds: ['north'] });
    const job = await runIn(rig.context, 'north', publishing(rig, 1));
    const { key } = rig.context.state.taskOutputs(job, 0)[0]!;
    await rig.context.pools[1]!.store.put(key, '0 of nowhe');
    await new Publisher(rig.context).runOnce(never);
    assert.match(rig.context.state.job(job)?.publish?.failure?.message ?? '', /SHA-256/);
    assert.equal(existsSync(join(placeOf(rig), '0', 'out')), false);
  });
});

describe('a place for outputs', () => {
  test('that cannot be written to is refused when the job is submitted', async () => {
    await using rig = await makeRig();
    const submitter = new Submitter(rig.context);
    writeFileSync(placeOf(rig, 'file'), '');
    const refused: [string, RegExp][] = [
      [`file:${placeOf(rig, 'file')}/below`, /outputs.to: "file:.*" cannot be written to: /],
      ['s3://bucket/x?endpoint=http://evil.example', /no store in clobi.yaml uses the endpoint/],
      ['s3://bucket/x?credentials=env', /may not choose credentials/],
      ['https://bucket/x', /cannot be used in a job/],
    ];
    for (const [publish, why] of refused)
      await assert.rejects(submitter.submit({ spec: specOf({ publish }) }), why);
    assert.equal(rig.context.state.totals().jobs, 0);
  });

  test('gets no file outside of it, whatever a task calls its outputs', async () => {
    await using rig = await makeRig();
    mkdirSync(placeOf(rig));
    const target = await openTarget(rig.context, `file:${placeOf(rig)}`);
    for (const path of ['0/../../x', '0//x', '/x', '0/./x'])
      await assert.rejects(target.put(path, 'x'), /does not stay inside/);
    assert.deepEqual(readdirSync(placeOf(rig)), []);
    mkdirSync(placeOf(rig, 'elsewhere'));
    symlinkSync(placeOf(rig, 'elsewhere'), join(placeOf(rig), '0'));
    await assert.rejects(target.put('0/a/b', 'x'), /because of a link on the way/);
    assert.deepEqual(readdirSync(placeOf(rig, 'elsewhere')), [], 'nor a directory');
  });

  test('is none where a job could forge what Clobi keeps', async () => {
    await using rig = await makeRig({}, { clouds: ['north', 'cloud'] });
    const { config } = rig.context;
    const { home } = config;
    const pools = rig.context.pools.map((pool) =>
      pool.name === 'cloud'
        ? { ...pool, config: { ...pool.config, store: 's3://ours/1/clobi?endpoint=http://127.0.0.1:9' } }
        : pool,
    );
    symlinkSync(join(home, 'store'), placeOf(rig, 'link'));
    const at = { ...rig.context, pools };
    const cloud = (path: string): string => `s3://ours${path}?endpoint=http://127.0.0.1:9`;
    for (const url of [
      `file:${home}/store/verdicts`,
      `file:${home}/store/./results/../verdicts/1`,
      `file:${home}/link/jobs`,
      `file:${home}/store-north/results/x`,
      `file:${home}/coordinator`,
      `file:${home}/agents/local/a`,
      cloud('/1/clobi/results'),
      cloud('/1/clobi/segments/'),
      cloud(''),
    ])
      await assert.rejects(openTarget(at, url), /is where Clobi keeps its own files/, url);
    for (const url of [`file:${home}/store/mine`, cloud('/1/clobi/verdicts-of-mine'), cloud('/2')])
      await openTarget(at, url);
  });
});

const explain = (rig: Rig, job: string): string =>
  explainJob(rig.context as ApiContext, job as never)
    .reasons.map(({ text }) => text)
    .join('\n');
