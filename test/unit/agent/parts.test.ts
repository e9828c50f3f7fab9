import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asciiJson, EventSender, eventText, outcomeEventText } from '../../../agent/events.ts';
import { HeldUnits } from '../../../agent/held-units.ts';
import { LeaseKeeper } from '../../../agent/leases.ts';
import { Slots } from '../../../agent/slots.ts';
import { EXPIRY_MARGIN_MS, readUnit, refusalOf } from '../../../agent/unit-check.ts';
import { UnitInHand } from '../../../agent/unit-in-hand.ts';
import type { AgentId, BootId } from '../../../shared/ids.ts';
import { silentLogger } from '../../../shared/log.ts';
import type { Delivery, Queue } from '../../../shared/providers/ports.ts';
import { type AgentEvent, eventBatchSchema } from '../../../shared/wire/event.ts';
import { MAX_UNIT_BYTES } from '../../../shared/wire/unit.ts';
import { sealed, unitOf } from './units.ts';

describe('readUnit', () => {
  const expected = { ns: 'test', pool: 'local', verify: () => true };
  const why = (text: string, change = {}): string => {
    const read = readUnit(text, { ...expected, ...change });
    return read.kind === 'poison' ? read.why : 'unit';
  };

  it('takes a unit, also one with fields it does not know', () => {
    assert.equal(why(sealed(unitOf(3))), 'unit');
    assert.equal(why(sealed({ ...unitOf(1), later: true })), 'unit');
  });

  it('checks in the order of R3: the first thing wrong is what it names', () => {
    const never = { verify: () => assert.fail('the signature was looked at too early') };
    assert.equal(why('x'.repeat(MAX_UNIT_BYTES + 200), never), 'too large');
    assert.equal(why('x', never), 'no signature part');
    assert.equal(why('a.{', never), 'not a JSON object');
    assert.equal(why('a.null', never), 'not a JSON object');
    assert.equal(why(`a.${JSON.stringify({ v: 2 })}`, never), 'version is not 1');
    assert.equal(why(`a.${JSON.stringify({ ...unitOf(1), tasks: [] })}`, never), 'not a unit: tasks');
    const elsewhere = sealed({ ...unitOf(1), pool: 'other', notAfter: 0 });
    assert.equal(why(elsewhere, { verify: () => false }), 'bad signature');
    assert.equal(why(elsewhere), 'addressed to test/other');
  });

  it('measures bytes, not characters', () => {
    assert.equal(why('ä'.repeat(MAX_UNIT_BYTES / 2 + 200)), 'too large');
  });
});

describe('refusalOf', () => {
  const fresh = {
    now: 1_000,
    receiveCount: 1,
    recent: false,
    revoked: false,
    recalled: false,
    draining: false,
  };
  const unit = unitOf(1, { notAfter: 1_000 });

  it('lets a fresh unit pass and names the first reason against any other', () => {
    assert.equal(refusalOf(unit, fresh), undefined);
    assert.equal(refusalOf(unit, { ...fresh, draining: true }), 'draining');
    assert.equal(refusalOf(unit, { ...fresh, draining: true, revoked: true }), 'revoked');
    assert.equal(refusalOf(unit, { ...fresh, revoked: true, recent: true }), 'recent');
    assert.equal(refusalOf(unit, { ...fresh, recent: true, receiveCount: 2 }), 'redelivered');
    assert.equal(refusalOf(unit, { ...fresh, receiveCount: 2, now: 2_000 + EXPIRY_MARGIN_MS }), 'expired');
  });

  it('reads the time with a margin', () => {
    assert.equal(refusalOf(unit, { ...fresh, now: 1_000 + EXPIRY_MARGIN_MS }), undefined);
    assert.equal(refusalOf(unit, { ...fresh, now: 1_001 + EXPIRY_MARGIN_MS }), 'expired');
  });
});

describe('Slots', () => {
  const capacity = { slots: 4, cpus: 1, memoryBytes: 100, gpus: 1, diskBytes: 50 };
  const need = (milliCpus: number, memoryBytes = 0, gpus = 0, diskBytes = 0) => ({
    milliCpus,
    memoryBytes,
    gpus,
    diskBytes,
  });
  const make = () => new Slots(capacity, () => Promise.reject(new Error('none')));

  it('adds tenths of cpus exactly', () => {
    const slots = new Slots({ ...capacity, slots: 100 }, () => Promise.reject(new Error('none')));
    for (let n = 0; n < 10; n += 1) assert.ok(slots.reserve(need(100)));
    assert.equal(slots.hasRoom(), false);
    for (let n = 0; n < 10; n += 1) slots.release(need(100));
    assert.ok(slots.reserve(need(1000)));
  });

  it('refuses what does not fit, by each resource', () => {
    const slots = make();
    assert.deepEqual(
      [need(1001), need(1, 101), need(1, 0, 2), need(1, 0, 0, 51)].map((each) => slots.couldEverHold(each)),
      [false, false, false, false],
    );
    assert.ok(slots.reserve(need(500, 60, 1, 30)));
    assert.deepEqual(
      [need(501), need(1, 41), need(1, 0, 1), need(1, 0, 0, 21)].map((each) => slots.reserve(each)),
      [false, false, false, false],
    );
    assert.ok(slots.reserve(need(500, 40)));
  });

  it('counts how many more would fit', () => {
    const slots = make();
    assert.deepEqual(
      [
        slots.roomFor(need(300)),
        slots.roomFor(need(1, 40)),
        slots.roomFor(need(1)),
        slots.roomFor(need(1, 0, 1)),
        slots.roomFor(need(1, 0, 0, 25)),
      ],
      [3, 2, 4, 1, 2],
    );
    const { diskBytes: _, ...unknown } = capacity;
    const anyDisk = new Slots(unknown, () => Promise.reject(new Error('none')));
    assert.equal(anyDisk.roomFor(need(1, 0, 0, 2 ** 50)), 4, 'a disk that is not known is not counted');
  });
});

describe('HeldUnits', () => {
  const delivery = { body: '', receiveCount: 1 } as Delivery;

  it('remembers a bounded number of units, and what was begun of each', () => {
    const held = new HeldUnits(2);
    const [a, b, c] = [0, 1, 2].map(() => new UnitInHand(unitOf(2), delivery, 0)) as [
      UnitInHand,
      UnitInHand,
      UnitInHand,
    ];
    held.add(a);
    a.begin(0);
    assert.deepEqual([held.hasBegun(a.id, 0), held.hasBegun(a.id, 1)], [true, true], 'it may still begin');
    a.drop('draining');
    held.remove(a);
    assert.deepEqual(
      [held.hasMet(a.id), held.hasBegun(a.id, 0), held.hasBegun(a.id, 1)],
      [true, true, false],
    );
    held.add(b);
    held.add(c);
    assert.deepEqual([held.hasMet(a.id), held.hasMet(b.id), held.hasMet(c.id)], [false, true, true]);
  });

  it('claims a unit as long as one copy of it is in hand', () => {
    const held = new HeldUnits();
    const body = unitOf(1);
    const [first, copy] = [new UnitInHand(body, delivery, 0), new UnitInHand(body, delivery, 0)];
    held.add(first);
    held.add(copy);
    held.remove(first);
    assert.deepEqual(
      held.claimed().map(({ id }) => id),
      [body.unit],
    );
    held.remove(copy);
    assert.deepEqual(held.claimed(), []);
  });
});

describe('EventSender', () => {
  const sender = (maxBodyBytes: number) =>
    new EventSender({
      queue: { capabilities: { maxBodyBytes } } as Queue,
      ns: 'test',
      identity: { pool: 'local', agent: 'a' as AgentId, boot: 'b' as BootId },
      clock: { now: () => 5 },
    });

  it('packs events in order into bodies that the queue takes, each with the next number', () => {
    const texts = Array.from({ length: 100 }, (_, n) =>
      eventText({ type: 'rejected', why: `${n}`, sample: 'ä\u0001'.repeat(50) }),
    );
    const bodies = sender(4096).pack(texts);
    assert.ok(bodies.length > 5 && bodies.every((body) => Buffer.byteLength(body) <= 4096));
    const batches = bodies.map((body) => eventBatchSchema.parse(JSON.parse(body)));
    assert.deepEqual(
      batches.map(({ seq }) => seq),
      bodies.map((_, n) => n),
    );
    const whys = batches.flatMap(({ events }) =>
      events.map((event) => event.type === 'rejected' && event.why),
    );
    assert.deepEqual(
      whys,
      texts.map((_, n) => `${n}`),
    );
  });

  it('writes ASCII alone, and the same value', () => {
    const value = { text: 'ä\u007f\uffff😀\u0000"\\' };
    assert.match(asciiJson(value), /^[\x20-\x7e]*$/);
    assert.deepEqual(JSON.parse(asciiJson(value)), value);
    assert.deepEqual(JSON.parse(outcomeEventText('s', null)), {
      type: 'outcome',
      segment: 's',
      outcomes: null,
    });
  });

  it('knows how many units one heartbeat can claim where messages are smallest', () => {
    const smallest = 48 * 1024;
    const claims = Array.from({ length: sender(smallest).mostClaims + 64 }, () => 'u'.repeat(64));
    const beat = { type: 'heartbeat', claims, running: 9999, freeSlots: 9999 } as unknown as AgentEvent;
    const bodies = sender(smallest).pack([eventText(beat)]);
    assert.ok(claims.length > 600);
    assert.deepEqual(
      bodies.map((body) => body.length <= smallest),
      [true],
    );
  });

  it('never goes beyond its own bound', () => {
    assert.ok(sender(2 ** 30).maxEventBytes <= 256 * 1024);
  });
});

describe('LeaseKeeper', () => {
  it('renews what is old, also when the clock was set back', async () => {
    let now = 1_000_000;
    const renewed: number[] = [];
    const extend = (): Promise<void> => Promise.resolve(void renewed.push(now));
    const delivery = { body: '', receiveCount: 1, extend, done: () => Promise.resolve() };
    const held = new HeldUnits();
    held.add(new UnitInHand(unitOf(1), delivery, now));
    const keeper = new LeaseKeeper({ held, leaseMs: 300, clock: { now: () => now }, log: silentLogger });
    for (const step of [99, 1, 99, -3_600_000, 99, 1]) {
      now += step;
      await keeper.runOnce();
    }
    assert.deepEqual(renewed, [1_000_100, 1_000_199 - 3_600_000, 1_000_299 - 3_600_000]);
  });
});
