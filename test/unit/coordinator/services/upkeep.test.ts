import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UnitBuilder } from '../../../../coordinator/services/build-unit.ts';
import { Collector } from '../../../../coordinator/services/collector.ts';
import { Exporter } from '../../../../coordinator/services/exporter.ts';
import { Janitor } from '../../../../coordinator/services/janitor.ts';
import { Deadlines } from '../../../../coordinator/services/deadlines.ts';
import { maxUnitTasks } from '../../../../coordinator/services/plan.ts';
import { Submitter } from '../../../../coordinator/services/submitter.ts';
import { UpstreamInputs } from '../../../../coordinator/services/upstream-inputs.ts';
import type { JobId } from '../../../../shared/ids.ts';
import type { JobSpec } from '../../../../shared/job-spec.ts';
import type { Outcome } from '../../../../shared/wire/event.ts';
import { newKeyPair, signerOf } from '../../../../shared/wire/signature.ts';
import { MAX_UNIT_BYTES } from '../../../../shared/wire/unit.ts';
import { FakeAgent, makeRig, type Rig, specOf } from './rig.ts';

const DAY_MS = 24 * 3600 * 1000;

/** Submits the job and has each of its tasks succeed with the outputs named. */
async function runJob(rig: Rig, spec: JobSpec, outputs: readonly string[]): Promise<JobId> {
  const { context } = rig;
  const { state, clock, store } = context;
  const { job } = await new Submitter(context).submit({ spec });
  const agent = new FakeAgent('a', `boot-${job}`);
  const collector = new Collector(context, rig.pool);
  const units = state.createUnits({
    job,
    pool: 'local',
    sizes: [spec.tasks.count],
    now: clock.now(),
    notAfter: clock.now() + DAY_MS,
  });
  state.markSent(
    units.map(({ unit }) => unit),
    clock.now(),
  );
  const outcomes: Outcome[] = [];
  for (const { index } of units.flatMap(({ tasks }) => tasks)) {
    const run = `1.1-run${String(index)}`;
    const named = outputs.map((path) => ({
      path,
      key: `results/${job}/${String(index)}/${run}/${path}`,
      sizeBytes: 1,
      sha256: 'a'.repeat(64),
    }));
    for (const { key } of named) await store.put(key, 'x');
    outcomes.push(
      agent.outcome({ unit: units[0]!.unit, job, tasks: [{ index, attempt: '1.1' }] } as never, index, {
        run: run as never,
        outputs: named,
      }),
    );
  }
  await collector.apply([
    agent.hello(),
    agent.batch({ type: 'outcome', segment: `segments/local/a/boot-${job}/0000000001.ndjson`, outcomes }),
  ]);
  const exporter = new Exporter(context);
  while (await exporter.runOnce());
  assert.equal(state.job(job)?.state, 'succeeded');
  return job;
}

const keysBelow = async (rig: Rig, prefix: string): Promise<string[]> =>
  (await rig.context.store.list(prefix)).map(({ key }) => key);

describe('Janitor', () => {
  test('keeps what a committed outcome names until its retention has passed, then removes it', async () => {
    await using rig = await makeRig();
    const janitor = new Janitor(rig.context);
    const job = await runJob(rig, specOf({ retention: { resultsMs: 1000, logsMs: null } }), ['out']);
    const log = `logs/${job}/0/1.1-run0/stdout.0000000000`;
    await rig.context.store.put(log, 'x');
    await janitor.runOnce();
    assert.equal((await keysBelow(rig, 'results/')).length, 1);
    rig.clock.ms += 2000;
    await janitor.runOnce();
    assert.deepEqual(await keysBelow(rig, 'results/'), []);
    assert.deepEqual(await keysBelow(rig, 'logs/'), [log]);
  });

  test('removes outputs of runs that did not count, long after the end, and only those', async () => {
    await using rig = await makeRig();
    const janitor = new Janitor(rig.context);
    const job = await runJob(rig, specOf(), ['out']);
    const stale = `results/${job}/0/1.1-other/out`;
    await rig.context.store.put(stale, 'x');
    rig.clock.ms += DAY_MS / 2;
    await janitor.runOnce();
    assert.ok((await keysBelow(rig, 'results/')).includes(stale));
    rig.clock.ms += DAY_MS;
    await janitor.runOnce();
    assert.deepEqual(await keysBelow(rig, 'results/'), [`results/${job}/0/1.1-run0/out`]);
  });

  test('touches nothing of a job that is not over', async () => {
    await using rig = await makeRig();
    const { job } = await new Submitter(rig.context).submit({
      spec: specOf({ retention: { resultsMs: 1, logsMs: 1 } }),
    });
    await rig.context.store.put(`results/${job}/0/1.1-a/out`, 'x');
    rig.clock.ms += 10 * DAY_MS;
    await new Janitor(rig.context).runOnce();
    assert.equal((await keysBelow(rig, 'results/')).length, 1);
  });
});

test('tasks that waited longer than timeout.queue are cancelled', async () => {
  await using rig = await makeRig();
  const { job } = await new Submitter(rig.context).submit({ spec: specOf({ timeout: { queueMs: 1000 } }) });
  const deadlines = new Deadlines(rig.context);
  deadlines.runOnce();
  assert.equal(rig.context.state.task(job, 0)?.state, 'ready');
  rig.clock.ms += 2000;
  deadlines.runOnce();
  while (await new Exporter(rig.context).runOnce());
  assert.equal(rig.context.state.job(job)?.state, 'cancelled');
});

describe('UpstreamInputs', () => {
  test('are those of the same index under by: tasks, else of every task, as the glob says', async () => {
    await using rig = await makeRig();
    const two = { kind: 'count' as const, count: 2 };
    const job = await runJob(rig, specOf({ tasks: two }), ['a.txt', 'b.bin']);
    const upstreamInputs = [{ job, glob: '*.txt', to: 'in' }];
    const of = (by: 'tasks' | 'job', index: number) =>
      new UpstreamInputs(rig.context.state).of(
        'x' as JobId,
        index,
        specOf({ tasks: two, upstreamInputs, depends: [{ job, after: 'success', by }] }),
      );
    assert.deepEqual(
      of('tasks', 1).map(({ input }) => [input.to, input.key]),
      [['in/a.txt', `results/${job}/1/1.1-run1/a.txt`]],
    );
    assert.deepEqual(
      of('job', 1).map(({ input }) => input.to),
      ['in/0/a.txt', 'in/1/a.txt'],
    );
  });
});

test('as many tasks as planned for a unit fit its message, with the largest numbers and parameters', async () => {
  await using rig = await makeRig();
  const { state } = rig.context;
  const builder = new UnitBuilder(rig.context, signerOf(newKeyPair().privateKey));
  const long = 'x'.repeat(15_000);
  for (const [spec, items] of [
    [specOf({ tasks: { kind: 'count', count: 10_000_000 }, description: long }), undefined],
    [
      specOf({ tasks: { kind: 'items', count: 400 }, description: long }),
      Array.from({ length: 400 }, (_, at) => ({ item: `${String(at)} ${long}` })),
    ],
  ] as const) {
    const { job } = await new Submitter(rig.context).submit({ spec, ...(items && { items: [...items] }) });
    const [row] = state.createUnits({ job, pool: 'local', sizes: [maxUnitTasks(spec)], now: 0, notAfter: 1 });
    const far = row!.tasks.map(({ index }) => ({
      index: spec.tasks.kind === 'count' ? index + 9_999_000 : index,
      attempt: 1000,
    }));
    assert.ok(far.length > 100);
    assert.ok(builder.build({ ...row!, tasks: far }).message.length <= MAX_UNIT_BYTES);
  }
});
