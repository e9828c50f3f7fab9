import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { segmentKey, specKey } from '../../../shared/wire/keys.ts';
import { Rig } from './rig.ts';
import { sealed, specWith, unitOf } from './units.ts';

const isReport = (op: string): boolean =>
  op.startsWith('put segments/') || op === 'delete' || (op.startsWith('send') && /outcome|returned/.test(op));

describe('R4: outcome after facts', () => {
  it('writes the segment, sends the event and deletes the message, in this order', async () => {
    await using rig = (await Rig.create()).start();
    const unit = unitOf(3);
    await rig.send(unit);
    await rig.when('the message is deleted', () => rig.deletes() === 1);
    const ops = rig.ops.filter(isReport);
    assert.match(ops[0] ?? '', /^put segments\/local\/a1\//);
    assert.match(ops[1] ?? '', /^send .*outcome/);
    assert.equal(ops.at(-1), 'delete');
    assert.deepEqual((await rig.outcomes()).map(({ index }) => index).sort(), [0, 1, 2]);
    assert.equal(await rig.units.depth(), 0);
  });

  it('deletes a message only when the outcomes of all its tasks are reported', async () => {
    await using rig = await Rig.create();
    rig.autoEnd = false;
    rig.start();
    const unit = unitOf(2);
    await rig.send(unit);
    await rig.end(unit, 0);
    await rig.until('outcome');
    await rig.until('heartbeat', rig.all('heartbeat').length + 2);
    assert.equal(rig.deletes(), 0);
    await rig.end(unit, 1);
    await rig.when('the message is deleted', () => rig.deletes() === 1);
  });

  it('sends no event while the segment cannot be written, and goes on claiming the unit', async () => {
    await using rig = await Rig.create();
    rig.failures.put = Number.MAX_SAFE_INTEGER;
    rig.start();
    const unit = unitOf(1);
    await rig.send(unit);
    await rig.when('the task has run', () => rig.begun.length === 1 && rig.running.size === 0);
    await rig.until('heartbeat', rig.all('heartbeat').length + 3);
    assert.deepEqual(rig.claims(), [unit.unit]);
    await rig.heard();
    assert.equal(rig.all('outcome').length, 0);
    assert.equal(rig.deletes(), 0);
    rig.failures.put = 0;
    await rig.when('the message is deleted', () => rig.deletes() === 1);
    assert.equal((await rig.outcomes()).length, 1);
  });

  it('does not delete while the event cannot be sent, and writes the segment once', async () => {
    await using rig = await Rig.create();
    rig.autoEnd = false;
    rig.start();
    const unit = unitOf(1);
    await rig.send(unit);
    await rig.until('started');
    rig.failures.send = 4;
    await rig.end(unit, 0);
    await rig.when('sending has failed', () => rig.failures.send === 0);
    await rig.when('the message is deleted', () => rig.deletes() === 1);
    const { pool, agent, boot } = rig.identity;
    const puts = rig.ops.filter((op) => op.startsWith('put segments/'));
    assert.deepEqual(puts, [`put ${segmentKey(pool, agent, boot, 1)}`]);
    assert.ok(rig.ops.findIndex((op) => /send .*outcome/.test(op)) < rig.ops.indexOf('delete'));
  });

  it('tries a failed delete again, and claims the unit until it is done', async () => {
    await using rig = await Rig.create();
    rig.failures.done = 2;
    rig.start();
    const unit = unitOf(1);
    await rig.send(unit);
    await rig.until('outcome');
    await rig.when('a heartbeat claims it still', () => rig.claims()?.includes(unit.unit) === true);
    await rig.when('the message is deleted', () => rig.deletes() === 1);
    await rig.when('it is claimed no more', () => rig.claims()?.length === 0);
    await rig.heard();
    assert.equal(rig.all('outcome').length, 1);
  });

  it('refers to the segment when the outcomes are too large for an event', async () => {
    await using rig = await Rig.create();
    rig.output = 'ä'.repeat(20_000);
    rig.start();
    await rig.send(unitOf(4));
    await rig.when('the message is deleted', () => rig.deletes() === 1);
    await rig.heard();
    assert.ok(rig.all('outcome').every(({ outcomes }) => outcomes === null));
    const outcomes = await rig.outcomes();
    assert.equal(outcomes.length, 4);
    assert.equal(outcomes[0]?.stdout.inline, rig.output);
  });
});

describe('R3: what somebody may have begun is not run', () => {
  it('hands back a redelivered message, and deletes it only after that is sent', async () => {
    await using rig = await Rig.create();
    const unit = unitOf(2);
    await rig.send(unit);
    const [taken] = await rig.units.receive({ max: 1, waitMs: 0, leaseMs: 1 });
    assert.ok(taken);
    rig.start();
    const [returned] = await rig.until('returned');
    assert.deepEqual(returned, {
      type: 'returned',
      unit: unit.unit,
      receiveCount: 2,
      why: 'redelivered',
      notBegun: [0, 1],
    });
    await rig.when('the message is deleted', () => rig.deletes() === 1);
    assert.ok(rig.ops.findIndex((op) => op.includes('returned')) < rig.ops.indexOf('delete'));
    assert.deepEqual(rig.begun, []);
  });

  it('keeps the message while the hand-back cannot be sent', async () => {
    await using rig = (await Rig.create({ timing: { heartbeatMs: 60_000 } })).start();
    await rig.until('heartbeat');
    rig.failures.send = 3;
    const unit = unitOf(1, { notAfter: Date.now() - 3_600_000 });
    await rig.send(unit);
    await rig.when('sending has failed', () => rig.failures.send === 0);
    assert.equal(rig.deletes(), 0);
    await rig.until('returned');
    await rig.when('the message is deleted', () => rig.deletes() === 1);
  });

  it('hands back a copy of a unit in hand without claiming that its begun tasks were not', async () => {
    await using rig = await Rig.create({ capacity: { slots: 1, cpus: 3 } });
    rig.autoEnd = false;
    rig.start();
    const unit = unitOf(1);
    await rig.send(unit);
    await rig.end(unit, 0);
    await rig.when('the message is deleted', () => rig.deletes() === 1);
    await rig.send(unit);
    const [returned] = await rig.until('returned');
    assert.deepEqual([returned?.why, returned?.receiveCount, returned?.notBegun], ['recent', 1, []]);
    assert.equal(rig.begun.length, 1);
    await rig.when('the copy is deleted', () => rig.deletes() === 2);
  });

  it('hands back what is revoked before it came', async () => {
    await using rig = await Rig.create();
    const unit = unitOf(2);
    const other = unitOf(3);
    await rig.control({
      revokes: [
        { unit: unit.unit, tasks: null, notAfter: 0 },
        { unit: other.unit, tasks: [1], notAfter: 0 },
      ],
    });
    await rig.send(unit, other);
    rig.start();
    const returned = await rig.until('returned', 2);
    const notBegun = new Map(returned.map((event) => [event.unit as string, event.notBegun]));
    assert.deepEqual(notBegun.get(unit.unit), [0, 1]);
    assert.deepEqual(notBegun.get(other.unit), [1]);
    assert.deepEqual(rig.begun.sort(), [`${other.unit}/0`, `${other.unit}/2`]);
    await rig.when('both messages are deleted', () => rig.deletes() === 2);
    assert.equal((await rig.outcomes()).length, 2);
  });

  it('hands back a unit that this machine can never hold', async () => {
    await using rig = (await Rig.create()).start();
    const unit = unitOf(1, { spec: { inline: specWith({ cpus: 3 }) } });
    await rig.send(unit, unitOf(1, { spec: { inline: specWith({ gpus: 1 }) } }));
    const returned = await rig.until('returned', 2);
    assert.ok(returned.every(({ why }) => why === 'unfit'));
    assert.deepEqual(rig.begun, []);
  });

  it('runs a unit that is just past its time by our clock, and hands back one long past it (R10)', async () => {
    await using rig = (await Rig.create()).start();
    const late = unitOf(1, { notAfter: Date.now() - 60_000 });
    const old = unitOf(1, { notAfter: Date.now() - 24 * 3_600_000 });
    await rig.send(late, old);
    const [returned] = await rig.until('returned');
    assert.deepEqual([returned?.unit, returned?.why], [old.unit, 'expired']);
    await rig.when('both messages are deleted', () => rig.deletes() === 2);
    assert.deepEqual(rig.begun, [`${late.unit}/0`]);
  });
});

describe('messages that are no units', () => {
  it('runs nothing of them, tells of them, deletes them, and lives', async () => {
    await using rig = (await Rig.create()).start();
    const unit = unitOf(1);
    const other = sealed({ ...unit, ns: 'other' });
    const forged = `${sealed(unit).slice(0, 40)}AAAA${sealed(unit).slice(44)}`;
    const bad = [
      '',
      'x',
      'a.b',
      sealed(1),
      sealed({ ...unit, v: 99 }),
      sealed({ v: 1 }),
      forged,
      other,
      sealed({ ...unit, x: 'y'.repeat(60_000) }),
    ];
    await rig.send(...bad, unit);
    const rejected = await rig.until('rejected', bad.length);
    assert.equal(rejected.length, bad.length);
    await rig.when('all messages are deleted', () => rig.deletes() === bad.length + 1);
    assert.deepEqual(rig.begun, [`${unit.unit}/0`]);
  });

  it('does not turn a flood of them into a flood of events', async () => {
    await using rig = (await Rig.create()).start();
    await rig.send(...Array.from({ length: 60 }, (_, n) => `nonsense ${n}`));
    await rig.when('all messages are deleted', () => rig.deletes() === 60);
    await rig.send(unitOf(1));
    await rig.until('outcome');
    await rig.heard();
    assert.equal(rig.all('rejected').length, 20);
  });
});

describe('specs in the store', () => {
  const text = JSON.stringify(specWith());
  const sha256 = createHash('sha256').update(text).digest('hex');

  it('waits for a store that fails', async () => {
    await using rig = await Rig.create();
    rig.failures.get = 3;
    const unit = unitOf(2);
    await rig.store.put(specKey(unit.job), text);
    await rig.send({ ...unit, spec: { key: specKey(unit.job), sha256 } });
    rig.start();
    await rig.when('the message is deleted', () => rig.deletes() === 1);
    assert.equal(rig.begun.length, 2);
  });

  it('fails the tasks of a unit whose spec is gone or is not the one that was signed', async () => {
    await using rig = await Rig.create();
    const [gone, changed] = [unitOf(1), unitOf(2)];
    await rig.store.put(specKey(changed.job), `${text} `);
    await rig.send(
      { ...gone, spec: { key: specKey(gone.job), sha256 } },
      { ...changed, spec: { key: specKey(changed.job), sha256 } },
    );
    rig.start();
    await rig.when('both messages are deleted', () => rig.deletes() === 2);
    const outcomes = await rig.outcomes();
    assert.deepEqual(
      outcomes.map(({ result, reason }) => `${result} ${String(reason)}`),
      Array(3).fill('failed internal'),
    );
    assert.deepEqual(rig.begun, []);
  });
});
