import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BootId } from '../../../shared/ids.ts';
import { drainName } from '../../../shared/wire/control.ts';
import { Rig } from './rig.ts';
import { unitOf } from './units.ts';

describe('control document', () => {
  it('stops revoked tasks and drops those not begun (R8)', async () => {
    await using rig = await Rig.create();
    rig.autoEnd = false;
    rig.start();
    const unit = unitOf(4);
    await rig.send(unit);
    await rig.until('started');
    await rig.control({ revokes: [{ unit: unit.unit, tasks: null, notAfter: 0 }] });
    const [returned] = await rig.until('returned');
    assert.deepEqual([returned?.why, returned?.notBegun], ['revoked', [2, 3]]);
    await rig.when('the message is deleted', () => rig.deletes() === 1);
    assert.deepEqual(
      (await rig.outcomes()).map(({ result }) => result),
      ['cancelled', 'cancelled'],
    );
    assert.equal(rig.ops.filter((op) => op === 'cancel').length, 2);
  });

  it('stops only the tasks that are named', async () => {
    await using rig = await Rig.create();
    rig.autoEnd = false;
    rig.start();
    const unit = unitOf(3);
    await rig.send(unit);
    await rig.until('started');
    await rig.control({ revokes: [{ unit: unit.unit, tasks: [1], notAfter: 0 }] });
    await rig.when('the third runs', () => rig.running.has(`${unit.unit}/2`));
    assert.deepEqual([...rig.running.keys()], [`${unit.unit}/0`, `${unit.unit}/2`]);
    await rig.end(unit, 0);
    await rig.end(unit, 2);
    await rig.when('the message is deleted', () => rig.deletes() === 1);
    await rig.heard();
    assert.deepEqual(rig.all('returned'), []);
  });

  it('is ignored when it cannot be read, and that is logged once', async () => {
    await using rig = await Rig.create();
    rig.autoEnd = false;
    rig.start();
    const unit = unitOf(1);
    await rig.send(unit);
    await rig.until('started');
    await rig.store.put('control/local.json', '{"v":1,"revokes":"all"');
    await rig.when('that was logged', () => rig.logged.some((line) => line.includes('control document')));
    await rig.until('heartbeat', rig.all('heartbeat').length + 3);
    assert.equal(rig.logged.filter((line) => line.includes('control document')).length, 1);
    assert.equal(rig.running.size, 1);
    await rig.control({ revokes: [{ unit: unit.unit, tasks: null, notAfter: 0 }] });
    await rig.when('the message is deleted', () => rig.deletes() === 1);
  });

  it('tells slots who is followed', async () => {
    await using rig = await Rig.create();
    rig.autoEnd = false;
    rig.start();
    const unit = unitOf(1);
    await rig.send(unit);
    await rig.until('started');
    await rig.control({ follows: [unit.job] });
    await rig.when('the slot was told', () => rig.ops.includes('follow true'));
    await rig.control({});
    await rig.when('the slot was told', () => rig.ops.includes('follow false'));
  });

  it('drains the life that it names, not the one that follows under the same name', async () => {
    await using rig = (await Rig.create()).start();
    await rig.control({ drains: ['somebody', drainName(rig.identity.agent, 'before' as BootId)] });
    await rig.until('heartbeat', 4);
    assert.equal(rig.isFinished, false);
    await rig.control({ drains: [drainName(rig.identity.agent, rig.identity.boot)] });
    await rig.finished;
    await rig.until('goodbye');
  });

  it('drains the agent that it names', async () => {
    await using rig = (await Rig.create()).start();
    await rig.control({ drains: ['somebody'] });
    await rig.until('heartbeat', 4);
    assert.equal(rig.isFinished, false);
    await rig.control({ drains: ['a1'] });
    await rig.finished;
    await rig.until('goodbye');
  });
});

describe('leaving', () => {
  it('drains: finishes what runs, hands back what has not begun, says goodbye', async () => {
    await using rig = await Rig.create();
    rig.autoEnd = false;
    rig.start();
    const unit = unitOf(5);
    await rig.send(unit);
    await rig.until('started');
    rig.drain();
    await rig.until('draining');
    await rig.send(unitOf(1));
    await rig.heard();
    assert.deepEqual([rig.all('returned').length, rig.deletes(), rig.isFinished], [0, 0, false]);
    await rig.end(unit, 0, 'failed');
    await rig.end(unit, 1);
    await rig.finished;
    const [returned] = await rig.until('returned');
    assert.deepEqual([returned?.why, returned?.receiveCount, returned?.notBegun], ['draining', 1, [2, 3, 4]]);
    await rig.until('goodbye');
    assert.equal((await rig.outcomes()).length, 2);
    assert.equal(rig.deletes(), 1);
    assert.equal(await rig.units.depth(), 1);
    const last = (what: string): number => rig.ops.findLastIndex((op) => op.includes(what));
    assert.ok(
      last('outcome') <= last('returned') &&
        last('returned') < last('delete') &&
        last('delete') < last('goodbye'),
    );
    assert.ok(last('close slot') > 0);
  });

  it('leaves at once: kills what runs, reports nothing of it, hands back the rest', async () => {
    await using rig = await Rig.create();
    rig.autoEnd = false;
    rig.start();
    const unit = unitOf(3);
    await rig.send(unit);
    await rig.until('started');
    rig.drain();
    await rig.until('draining');
    rig.leave();
    await rig.finished;
    const [returned] = await rig.until('returned');
    assert.deepEqual(returned?.notBegun, [2]);
    await rig.until('goodbye');
    await rig.heard();
    assert.deepEqual(rig.all('outcome'), []);
    assert.equal(rig.ops.filter((op) => op === 'kill').length, 2);
    assert.equal(rig.deletes(), 1);
  });

  it('ends when idle, and before it was greeted', async () => {
    await using idle = (await Rig.create()).start();
    await idle.until('heartbeat');
    idle.drain();
    await idle.finished;
    await using unheard = await Rig.create();
    unheard.failures.send = Number.MAX_SAFE_INTEGER;
    unheard.start();
    await unheard.when('greeting has failed', () => unheard.logged.length > 0);
    unheard.drain();
    await unheard.finished;
  });
});
