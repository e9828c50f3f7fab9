import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeServices } from '../../../../coordinator/services/all.ts';
import { UnitBuilder } from '../../../../coordinator/services/build-unit.ts';
import { cancelJob, readCancels } from '../../../../coordinator/services/cancel.ts';
import { Collector } from '../../../../coordinator/services/collector.ts';
import { Controller } from '../../../../coordinator/services/controller.ts';
import { Dispatcher } from '../../../../coordinator/services/dispatcher.ts';
import { Exporter } from '../../../../coordinator/services/exporter.ts';
import { Follows } from '../../../../coordinator/services/follows.ts';
import { readText } from '../../../../coordinator/services/read-segments.ts';
import { Rescuer } from '../../../../coordinator/services/rescuer.ts';
import { Sender } from '../../../../coordinator/services/sender.ts';
import { Submitter } from '../../../../coordinator/services/submitter.ts';
import { isCode } from '../../../../shared/errors.ts';
import type { JobId } from '../../../../shared/ids.ts';
import type { JobSpec } from '../../../../shared/job-spec.ts';
import { controlSchema } from '../../../../shared/wire/control.ts';
import type { EventBatch } from '../../../../shared/wire/event.ts';
import { segmentKey, specKey, verdictKey } from '../../../../shared/wire/keys.ts';
import { newKeyPair, signerOf, unseal, verifierOf } from '../../../../shared/wire/signature.ts';
import { MAX_UNIT_BYTES, unitBodySchema, type UnitBody } from '../../../../shared/wire/unit.ts';
import { waitFor } from '../../../helpers/wait.ts';
import { FakeAgent, makeRig, type Rig, specOf, takeUnits } from './rig.ts';

const keys = newKeyPair();
const never = new AbortController().signal;

/** The services of a rig, driven by hand. */
function handsOn(rig: Rig) {
  const { context, pool } = rig;
  const submitter = new Submitter(context);
  const dispatcher = new Dispatcher(context);
  const sender = new Sender(context, pool, new UnitBuilder(context, signerOf(keys.privateKey)));
  const collector = new Collector(context, pool);
  const rescuer = new Rescuer(context, pool, collector.listening);
  const exporter = new Exporter(context);
  return {
    submitter, dispatcher, sender, collector, rescuer, exporter,
    submit: async (spec: JobSpec): Promise<JobId> => (await submitter.submit({ spec })).job,
    /** What agents have said, through the queue. */
    say: async (...batches: EventBatch[]): Promise<void> => {
      await pool.events.send(batches.map((batch) => JSON.stringify(batch)));
      await collector.runOnce(never);
    },
    /** From ready tasks to messages in agents' hands. */
    dispatch: async (): Promise<UnitBody[]> => {
      while (dispatcher.runOnce());
      while (await sender.runOnce());
      return takeUnits(pool);
    },
  };
}

test('every service starts and stops, twice, in any order, and runs again', async () => {
  await using rig = await makeRig();
  const follows = new Follows(rig.context.clock, rig.context.signals);
  for (const service of makeServices(rig.context, { privateKey: keys.privateKey, follows })) {
    await service.stop();
    service.start();
    service.start();
    await service.stop();
    await Promise.all([service.stop(), service.stop()]);
    service.start();
    await service.stop();
  }
});

describe('submit', () => {
  test('puts the spec under the hash that units name, then shows the job', async () => {
    await using rig = await makeRig();
    const job = await handsOn(rig).submit(specOf({ name: 'naïve' }));
    assert.match(await readText(rig.context.store, specKey(job)), /"name":"na\\u00efve"/);
    assert.equal(rig.context.state.job(job)?.state, 'queued');
  });

  test('the same idempotency key gives the same job, also in one batch', async () => {
    await using rig = await makeRig();
    const { submitter } = handsOn(rig);
    const spec = specOf({ idempotencyKey: 'k' });
    const together = await Promise.all([submitter.submit({ spec }), submitter.submit({ spec })]);
    const later = await submitter.submit({ spec });
    assert.deepEqual(together.map(({ created }) => created), [true, false]);
    assert.equal(new Set([...together, later].map(({ job }) => job)).size, 1);
    assert.equal(rig.context.state.totals().jobs, 1);
  });

  test('a job staged before a crash is finished at the next start', async () => {
    await using rig = await makeRig();
    const { state, store } = rig.context;
    const { submitter } = handsOn(rig);
    const spec = specOf({ idempotencyKey: 'k' });
    const id = '01JAAAAAAAAAAAAAAAAAAAAAAA' as JobId;
    state.stageJob({ id, spec, specSha256: 'x', items: null, submittedAt: 1 });
    assert.equal(await submitter.recover(), 1);
    assert.ok(await store.head(specKey(id)));
    assert.equal(state.stagedJobs().length, 0);
    assert.deepEqual(await submitter.submit({ spec }), { job: id, created: false });
  });

  test('a repeated submit finishes the first one that did not get to its end', async () => {
    await using rig = await makeRig();
    const spec = specOf({ idempotencyKey: 'k' });
    const id = '01JAAAAAAAAAAAAAAAAAAAAAAA' as JobId;
    rig.context.state.stageJob({ id, spec, specSha256: 'x', items: null, submittedAt: 1 });
    assert.deepEqual(await handsOn(rig).submitter.submit({ spec }), { job: id, created: false });
    assert.ok(await rig.context.store.head(specKey(id)));
    assert.equal(rig.context.state.stagedJobs().length, 0);
  });

  test('refuses what cannot be, and says why', async () => {
    await using rig = await makeRig();
    const { submitter, submit } = handsOn(rig);
    const two = await submit(specOf({ tasks: { kind: 'count', count: 2 } }));
    const wrong: [Partial<JobSpec>, RegExp][] = [
      [{ command: null }, /neither/],
      [{ tasks: { kind: 'items', count: 3 } }, /says 3 items, but 0 were sent/],
      [{ depends: [{ job: 'nope', after: 'success', by: 'job' }] }, /nope, which does not exist/],
      [{ depends: [{ job: two, after: 'success', by: 'tasks' }] }, /has 1 tasks .* has 2/],
      [{ upstreamInputs: [{ job: two, glob: '*', to: '.' }] }, /not among the job's dependencies/],
      [{ placement: { require: { pools: ['moon'] }, prefer: {} } }, /pool moon, which is not configured. There is: local/],
      [{ retryOf: { job: two, indices: [5] } }, /Task 5 cannot be retried/],
    ];
    for (const [change, message] of wrong) await assert.rejects(submitter.submit({ spec: { ...specOf(), ...change } }), message);
    assert.equal(rig.context.state.totals().jobs, 1);
  });
});

describe('dispatch', () => {
  test('sends signed units that the agents’ schema takes', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello());
    const job = await hands.submit(specOf({ tasks: { kind: 'count', count: 3 } }));
    while (hands.dispatcher.runOnce());
    await hands.sender.runOnce();
    const deliveries = await rig.pool.units.receive({ max: 100, waitMs: 0, leaseMs: 60_000 });
    const verify = verifierOf(keys.publicKey);
    const units = deliveries.map(({ body }) => {
      const parts = unseal(body)!;
      assert.ok(verify(parts.body, parts.signature));
      return unitBodySchema.parse(JSON.parse(parts.body));
    });
    assert.deepEqual(units.flatMap(({ tasks }) => tasks.map(({ index }) => index)).sort(), [0, 1, 2]);
    assert.equal(units[0]!.job, job);
    assert.equal(units[0]!.tasks[0]!.attempt, '1.1');
    assert.equal(await hands.sender.runOnce(), false);
  });

  test('a unit written but not sent before a crash is sent by the next life, the same unit', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello());
    await hands.submit(specOf());
    hands.dispatcher.runOnce();
    const [row] = rig.context.state.unsentUnits('local', 10);
    const [unit] = await handsOn(rig).dispatch();
    assert.equal(unit?.unit, row?.unit);
  });

  test('what the queue refuses stays in the outbox', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello());
    await hands.submit(specOf());
    hands.dispatcher.runOnce();
    const refusing = { ...rig.pool, units: { ...rig.pool.units, send: async (bodies: readonly string[]) => bodies.map(() => ({ ok: false as const, retryable: true, cause: new Error('dark') })) } };
    const sender = new Sender(rig.context, refusing, new UnitBuilder(rig.context, signerOf(keys.privateKey)));
    await assert.rejects(sender.runOnce(), /1 units could not be sent to pool local: dark/);
    assert.equal(rig.context.state.unsentUnits('local', 10).length, 1);
    assert.equal((await hands.dispatch()).length, 1);
  });

  test('a unit that must never start twice is marked sent before it is sent', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello());
    await hands.submit(specOf({ retry: { lost: 0, backoff: { initialMs: 1, factor: 1, maxMs: 1 } } }));
    hands.dispatcher.runOnce();
    let left: number | undefined;
    const watching = {
      ...rig.pool,
      units: { ...rig.pool.units, send: async () => { left = rig.context.state.unsentUnits('local', 10).length; return []; } },
    };
    await new Sender(rig.context, watching, new UnitBuilder(rig.context, signerOf(keys.privateKey))).runOnce();
    assert.equal(left, 0);
  });

  test('big parameters go by reference, and the message keeps its bound', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello(1));
    const items = Array.from({ length: 20 }, (_, at) => ({ item: `${String(at)}${'x'.repeat(5000)}` }));
    await hands.submitter.submit({ spec: specOf({ tasks: { kind: 'items', count: 20 } }), items });
    const builder = new UnitBuilder(rig.context, signerOf(keys.privateKey));
    const [row] = rig.context.state.createUnits({ job: rig.context.state.candidates(1)[0]!.job, pool: 'local', sizes: [20], now: 0, notAfter: 1 });
    const { message, claimChecks } = builder.build(row!);
    assert.ok(message.length <= MAX_UNIT_BYTES);
    assert.equal(claimChecks.length, 20);
    assert.match(claimChecks[0]!.body, /^\{"item":"0x/);
  });
});

describe('collect', () => {
  test('an outcome by event ends its task, shown once the verdict is written', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    const agent = new FakeAgent('a');
    await hands.say(agent.hello());
    const job = await hands.submit(specOf());
    const [unit] = await hands.dispatch();
    await hands.say(agent.batch({ type: 'outcome', segment: segmentKey('local', agent.agent, agent.boot, 1), outcomes: [agent.outcome(unit!, 0)] }));
    assert.equal(rig.context.state.job(job)?.state, 'running');
    while (await hands.exporter.runOnce());
    assert.equal(rig.context.state.job(job)?.state, 'succeeded');
    assert.match(await readText(rig.context.store, verdictKey(1, 1)), /"state":"succeeded"/);
    assert.equal((await rig.pool.events.receive({ max: 1, waitMs: 0, leaseMs: 1000 })).length, 0);
  });

  test('an outcome by segment reference is read before the message goes', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    const agent = new FakeAgent('a');
    await hands.say(agent.hello());
    const job = await hands.submit(specOf());
    const [unit] = await hands.dispatch();
    const segment = segmentKey('local', agent.agent, agent.boot, 1);
    await rig.context.store.put(segment, `${JSON.stringify(agent.outcome(unit!, 0))}\nno outcome\n`);
    await hands.say(agent.batch({ type: 'outcome', segment, outcomes: null }));
    while (await hands.exporter.runOnce());
    assert.equal(rig.context.state.job(job)?.state, 'succeeded');
  });

  test('a poisonous message goes to the dead queue and holds nobody up', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await rig.pool.events.send(['{"v":', JSON.stringify(new FakeAgent('a').hello())]);
    await hands.collector.runOnce(never);
    assert.equal(rig.context.state.agents().length, 1);
    assert.deepEqual((await rig.pool.dead.receive({ max: 10, waitMs: 0, leaseMs: 1000 })).map(({ body }) => body), ['{"v":']);
    assert.equal((await rig.pool.events.receive({ max: 10, waitMs: 0, leaseMs: 1000 })).length, 0);
  });
});

describe('rescue', () => {
  async function claimedUnit(rig: Rig) {
    const hands = handsOn(rig);
    const agent = new FakeAgent('a');
    await hands.say(agent.hello());
    const job = await hands.submit(specOf());
    const [unit] = await hands.dispatch();
    await hands.say(agent.heartbeat([unit!.unit]));
    return { hands, agent, job, unit: unit! };
  }

  test('silence does not count before the queue has been read empty, and then only from there', async () => {
    await using rig = await makeRig({ heartbeat: 100, dead: 1000 });
    const { hands, job } = await claimedUnit(rig);
    rig.clock.ms += 5000;
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.losses, 0);
    await hands.collector.runOnce(never);
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.losses, 0);
    rig.clock.ms += 1000;
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.losses, 1);
  });

  test('what a silent agent had written is committed in place of the loss', async () => {
    await using rig = await makeRig({ heartbeat: 100, dead: 1000 });
    const { hands, agent, job, unit } = await claimedUnit(rig);
    await rig.context.store.put(segmentKey('local', agent.agent, agent.boot, 1), `${JSON.stringify(agent.outcome(unit, 0))}\n`);
    await hands.collector.runOnce(never);
    rig.clock.ms += 2000;
    await hands.rescuer.runOnce();
    while (await hands.exporter.runOnce());
    const task = rig.context.state.task(job, 0);
    assert.deepEqual([task?.state, task?.losses], ['succeeded', 0]);
  });

  test('patience runs only while an agent is live, and voids what nobody has claimed', async () => {
    await using rig = await makeRig({ heartbeat: 100, dead: 60_000, patience: 1000 });
    const hands = handsOn(rig);
    const agent = new FakeAgent('a');
    await hands.say(agent.hello());
    const job = await hands.submit(specOf());
    await hands.dispatch();
    await hands.collector.runOnce(never);
    await hands.rescuer.runOnce();
    rig.clock.ms += 999;
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.losses, 0);
    rig.clock.ms += 2;
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.losses, 1);
  });

  test('with patience off nothing is voided for want of a claim', async () => {
    await using rig = await makeRig({ patience: 'off' });
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello());
    const job = await hands.submit(specOf());
    await hands.dispatch();
    await hands.collector.runOnce(never);
    rig.clock.ms += 10_000;
    await hands.say(new FakeAgent('a').hello());
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.losses, 0);
  });
});

describe('control', () => {
  test('the document follows cancels and follows, and is put only when it changes', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    const follows = new Follows(rig.context.clock, rig.context.signals);
    const controller = new Controller(rig.context, rig.pool, follows);
    const read = async () => controlSchema.parse(JSON.parse(await readText(rig.pool.store, 'control/local.json')));
    await controller.runOnce();
    assert.deepEqual(await read(), { v: 1, revokes: [], drains: [], follows: [] });
    await hands.say(new FakeAgent('a').hello());
    const job = await hands.submit(specOf());
    const [unit] = await hands.dispatch();
    follows.set(job, true);
    assert.equal(await cancelJob(rig.context, { job, tasks: null, reason: 'test' }), 1);
    await controller.runOnce();
    const { revokes, follows: followed } = await read();
    assert.deepEqual([revokes.map((revoke) => revoke.unit), followed], [[unit!.unit], [job]]);
    assert.deepEqual((await readCancels(rig.context, job)).map(({ reason, tasks }) => [reason, tasks]), [['test', null]]);
  });

  test('a cancel of a task that does not exist is refused', async () => {
    await using rig = await makeRig();
    const job = await handsOn(rig).submit(specOf());
    await assert.rejects(cancelJob(rig.context, { job, tasks: [7], reason: 'test' }), (error) => isCode(error, 'NOT_FOUND'));
  });
});

test('all together: from submit to succeeded without anybody asking', async () => {
  await using rig = await makeRig();
  const { context, pool } = rig;
  const services = makeServices(context, { privateKey: keys.privateKey, follows: new Follows(context.clock, context.signals) });
  for (const service of services) service.start();
  try {
    const agent = new FakeAgent('a');
    await pool.events.send([JSON.stringify(agent.hello())]);
    const { job } = await new Submitter(context).submit({ spec: specOf({ tasks: { kind: 'count', count: 5 } }) });
    for (let done = 0; done < 5; ) {
      const units = await takeUnits(pool);
      const outcomes = units.flatMap((unit) => unit.tasks.map(({ index }) => agent.outcome(unit, index)));
      if (outcomes.length === 0) {
        await waitFor('a unit', async () => (await pool.units.depth()) > 0);
        continue;
      }
      done += outcomes.length;
      await pool.events.send([JSON.stringify(agent.batch({ type: 'outcome', segment: segmentKey('local', agent.agent, agent.boot, done), outcomes }))]);
    }
    await waitFor('the job succeeds', () => context.state.job(job)?.state === 'succeeded');
  } finally {
    await Promise.all(services.map((service) => service.stop()));
  }
});
