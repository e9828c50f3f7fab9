import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Rig } from './rig.ts';
import { specWith, unitOf } from './units.ts';

describe('taking work', () => {
  it('takes no unit that could not begin, and takes the next when a slot is free', async () => {
    await using rig = await Rig.create({ capacity: { slots: 1, cpus: 4 } });
    rig.autoEnd = false;
    rig.start();
    const [first, second] = [unitOf(2), unitOf(1)];
    await rig.send(first, second);
    await rig.end(first, 0);
    await rig.when('the second task runs', () => rig.running.has(`${first.unit}/1`));
    await rig.until('heartbeat', rig.all('heartbeat').length + 2);
    assert.deepEqual(rig.claims(), [first.unit]);
    assert.equal(await rig.units.depth(), 1);
    await rig.end(first, 1);
    await rig.end(second, 0);
    await rig.when('both messages are deleted', () => rig.deletes() === 2);
  });

  it('spreads the tasks of one unit over all slots, and starts no more slots than needed', async () => {
    await using rig = await Rig.create({ capacity: { slots: 4, cpus: 8 } });
    rig.autoEnd = false;
    rig.start();
    const unit = unitOf(3);
    await rig.send(unit);
    await rig.when('all three run', () => rig.running.size === 3);
    assert.equal(rig.slotsStarted, 3);
    for (const index of [0, 1, 2]) await rig.end(unit, index);
    const next = unitOf(1);
    await rig.send(next);
    await rig.end(next, 0);
    await rig.when('both messages are deleted', () => rig.deletes() === 2);
    assert.equal(rig.slotsStarted, 3);
  });

  it('runs no more at a time than cpus and memory hold', async () => {
    await using rig = await Rig.create({ capacity: { slots: 8, cpus: 8, memoryBytes: 1_000 } });
    rig.autoEnd = false;
    rig.start();
    const [wide, heavy] = [
      unitOf(3, { spec: { inline: specWith({ cpus: 2.5 }) } }),
      unitOf(1, { spec: { inline: specWith({ memoryBytes: 600 }) } }),
    ];
    await rig.send(wide);
    await rig.when('three run', () => rig.running.size === 3);
    await rig.end(wide, 0);
    await rig.end(wide, 1);
    await rig.send(heavy, { ...heavy, unit: `${heavy.unit}b` });
    await rig.when(
      'one heavy task runs',
      () => rig.running.has(`${heavy.unit}/0`) || rig.running.has(`${heavy.unit}b/0`),
    );
    await rig.until('heartbeat', rig.all('heartbeat').length + 2);
    assert.equal(rig.running.size, 2);
  });

  it('hands back a unit that found no room in time, and rests', async () => {
    await using rig = await Rig.create({
      capacity: { slots: 3, cpus: 3 },
      parts: { longestWaitForRoomMs: 50, restMs: 60_000 },
    });
    rig.autoEnd = false;
    rig.start();
    const big = { spec: { inline: specWith({ cpus: 2 }) } };
    const [first, second] = [unitOf(1, big), unitOf(1, big)];
    await rig.send(first);
    await rig.until('started');
    await rig.send(second);
    const [returned] = await rig.until('returned');
    assert.deepEqual([returned?.unit, returned?.why, returned?.notBegun], [second.unit, 'unfit', [0]]);
    const receives = rig.receives;
    await rig.send(unitOf(1));
    await rig.until('heartbeat', rig.all('heartbeat').length + 3);
    assert.equal(rig.receives, receives);
  });

  it('rests no longer when the clock is set back meanwhile', async () => {
    const clock = { now: () => Date.now() + ahead };
    let ahead = 3_600_000;
    await using rig = await Rig.create({
      capacity: { slots: 2, cpus: 2 },
      parts: { longestWaitForRoomMs: 50, restMs: 60_000, clock },
    });
    rig.autoEnd = false;
    rig.start();
    const [first, second, third] = [
      unitOf(1),
      unitOf(1, { spec: { inline: specWith({ cpus: 2 }) } }),
      unitOf(1),
    ];
    await rig.send(first);
    await rig.until('started');
    await rig.send(second);
    await rig.until('returned');
    ahead = 0;
    await rig.send(third);
    await rig.until('started', 2);
  });

  it('rests after a task that the machine could not begin', async () => {
    await using rig = await Rig.create({ parts: { restMs: 60_000 } });
    rig.autoEnd = false;
    rig.start();
    const unit = unitOf(1);
    await rig.send(unit);
    await rig.end(unit, 0, 'unbegun');
    await rig.until('outcome');
    const receives = rig.receives;
    await rig.send(unitOf(1));
    await rig.until('heartbeat', rig.all('heartbeat').length + 3);
    assert.equal(rig.receives, receives);
  });

  it('hands back what it cannot start a slot for', async () => {
    await using rig = await Rig.create({ parts: { restMs: 10 } });
    rig.failures.slot = 2;
    const unit = unitOf(3);
    await rig.send(unit);
    rig.start();
    const [returned] = await rig.until('returned');
    assert.equal(returned?.why, 'internal');
    assert.deepEqual(returned.notBegun.sort(), [0, 1, 2]);
    await rig.when('the message is deleted', () => rig.deletes() === 1);
    const next = unitOf(1);
    await rig.send(next);
    await rig.until('outcome');
  });
});

describe('leases, heartbeats, started', () => {
  it('extends the lease while a task runs, so that nobody else gets the message', async () => {
    await using rig = await Rig.create({ timing: { leaseMs: 300 } });
    rig.autoEnd = false;
    rig.start();
    const unit = unitOf(1);
    await rig.send(unit);
    await rig.when(
      'the lease was extended four times',
      () => rig.ops.filter((op) => op === 'extend').length >= 4,
    );
    assert.equal(await rig.units.depth(), 0);
    await rig.end(unit, 0);
    await rig.when('the message is deleted', () => rig.deletes() === 1);
    assert.equal(await rig.units.depth(), 0);
  });

  it('goes on with a unit whose lease is lost, and reports it', async () => {
    await using rig = await Rig.create({ timing: { leaseMs: 150 } });
    rig.autoEnd = false;
    const unit = unitOf(1);
    rig.start();
    await rig.send(unit);
    await rig.until('started');
    // Somebody else takes and deletes the message under our hands.
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(`${rig.directory}/units.sqlite`, { timeout: 5_000 });
    const table = database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
      .get();
    database.exec(`DELETE FROM "${String(table?.['name'])}"`);
    database.close();
    await rig.when('the loss was noticed', () => rig.logged.some((line) => line.includes('"lost":true')));
    await rig.end(unit, 0);
    const [outcome] = await rig.until('outcome');
    assert.equal(outcome?.outcomes?.[0]?.result, 'succeeded');
    await rig.when('it is claimed no more', () => rig.claims()?.length === 0);
  });

  it('names in every heartbeat what it holds, with growing numbers', async () => {
    await using rig = await Rig.create();
    rig.autoEnd = false;
    rig.start();
    const unit = unitOf(2);
    await rig.send(unit);
    await rig.when('it is claimed', () => rig.claims()?.includes(unit.unit) === true);
    const beat = rig.all('heartbeat').at(-1);
    assert.deepEqual([beat?.running, beat?.freeSlots], [2, 0]);
    await rig.end(unit, 0);
    await rig.end(unit, 1);
    await rig.when('it is claimed no more', () => rig.claims()?.length === 0);
    const numbers = rig.batches.map(({ seq }) => seq);
    assert.equal(new Set(numbers).size, numbers.length);
    assert.ok(
      rig.batches.every(({ boot, agent }) => boot === rig.identity.boot && agent === rig.identity.agent),
    );
  });

  it('says hello again with each heartbeat, for a coordinator that lost its state, but not while it drains', async () => {
    await using rig = (await Rig.create({ timing: { heartbeatMs: 20 } })).start();
    const beats = (): string[] =>
      rig.batches
        .map(({ events }) => events.map(({ type }) => type).join(' '))
        .filter((types) => types.includes('heartbeat'));
    await rig.until('heartbeat', 3);
    assert.deepEqual(new Set(beats()), new Set(['hello heartbeat']));
    rig.autoEnd = false;
    const unit = unitOf(1);
    await rig.send(unit);
    await rig.until('started');
    rig.drain();
    await rig.until('draining');
    await rig.when('it beats while it drains', () => beats().at(-1) === 'heartbeat');
    await rig.end(unit, 0);
  });

  it('says hello first, and `started` once and only for tasks that still run', async () => {
    await using rig = await Rig.create({ timing: { heartbeatMs: 60_000, flushMs: 50 } });
    rig.start();
    await rig.until('heartbeat');
    assert.equal(rig.batches.find(({ seq }) => seq === 0)?.events[0]?.type, 'hello');
    await rig.send(unitOf(3));
    await rig.until('outcome');
    await rig.heard();
    assert.deepEqual(rig.all('started'), []);
    rig.autoEnd = false;
    const long = unitOf(2);
    await rig.send(long);
    const [started] = await rig.until('started');
    assert.deepEqual(started?.tasks.map(({ index }) => index).sort(), [0, 1]);
    await rig.end(long, 0);
    await rig.until('outcome', 2);
    await rig.end(long, 1);
    await rig.when('both messages are deleted', () => rig.deletes() === 2);
    await rig.heard();
    assert.equal(rig.all('started').length, 1);
  });
});
