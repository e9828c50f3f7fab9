import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type BuiltUnit, UnitBuilder } from '../../../../coordinator/services/build-unit.ts';
import { Sender } from '../../../../coordinator/services/sender.ts';
import type { UnitRow } from '../../../../coordinator/state/store.ts';
import { signerOf, unseal, verifierOf } from '../../../../shared/wire/signature.ts';
import { MAX_UNIT_BYTES, unitBodySchema } from '../../../../shared/wire/unit.ts';
import { FakeAgent, makeRig, specOf, takeUnits } from './rig.ts';

import { handsOn, keys } from './hands.ts';
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
    const refusing = {
      ...rig.pool,
      units: {
        ...rig.pool.units,
        send: async (bodies: readonly string[]) =>
          bodies.map(() => ({ ok: false as const, retryable: true, cause: new Error('dark') })),
      },
    };
    const sender = new Sender(rig.context, refusing, handsOn(rig).parts);
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
      units: {
        ...rig.pool.units,
        depth: async () => 0,
        send: async () => {
          left = rig.context.state.unsentUnits('local', 10).length;
          return [];
        },
      },
    };
    await new Sender(rig.context, watching, handsOn(rig).parts).runOnce();
    assert.equal(left, 0);
  });

  test('a unit that must never start twice is not marked while its queue cannot be reached', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello());
    await hands.submit(specOf({ retry: { lost: 0, backoff: { initialMs: 1, factor: 1, maxMs: 1 } } }));
    hands.dispatcher.runOnce();
    const units = { ...rig.pool.units, depth: () => Promise.reject(new Error('unreachable')) };
    const sender = new Sender(rig.context, { ...rig.pool, units }, handsOn(rig).parts);
    await assert.rejects(sender.runOnce(), /unreachable/);
    assert.equal(rig.context.state.unsentUnits('local', 10).length, 1);
  });

  test('units that cannot be built keep nobody else in the outbox', async () => {
    await using rig = await makeRig({ lookahead: 'off' });
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello(1));
    await hands.submit(specOf({ tasks: { kind: 'count', count: 150 } }));
    while (hands.dispatcher.runOnce());
    const bad = new Set(rig.context.state.unsentUnits('local', 120).map(({ unit }) => unit));
    class Picky extends UnitBuilder {
      override build(row: UnitRow): BuiltUnit {
        if (bad.has(row.unit)) throw new Error('it has no spec');
        return super.build(row);
      }
    }
    const builder = new Picky(rig.context, signerOf(keys.privateKey));
    const sender = new Sender(rig.context, rig.pool, { ...handsOn(rig).parts, builder });
    for (let pass = 0; pass < 4; pass += 1) await sender.runOnce();
    assert.equal((await takeUnits(rig.pool)).length, 30);
    bad.clear();
    while (await sender.runOnce());
    assert.deepEqual(rig.context.state.unsentUnits('local', 10), []);
  });

  test('big parameters go by reference, and the message keeps its bound', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello(1));
    const items = Array.from({ length: 20 }, (_, at) => ({ item: `${String(at)}${'x'.repeat(5000)}` }));
    await hands.submitter.submit({ spec: specOf({ tasks: { kind: 'items', count: 20 } }), items });
    const { builder } = handsOn(rig).parts;
    const [row] = rig.context.state.createUnits({
      job: rig.context.state.candidates(1)[0]!.job,
      pool: 'local',
      sizes: [20],
      now: 0,
      notAfter: 1,
    });
    const { message, claimChecks } = builder.build(row!);
    assert.ok(message.length <= MAX_UNIT_BYTES);
    assert.equal(claimChecks.length, 20);
    assert.match(claimChecks[0]!.body, /^\{"item":"0x/);
  });
});
