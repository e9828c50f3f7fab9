import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { canonicalJson } from '../../../../coordinator/services/canonical.ts';
import { parseBatch } from '../../../../coordinator/services/collector.ts';
import { decideEpoch, type EpochRecord } from '../../../../coordinator/services/epoch.ts';
import { dueCleanups, isNamed } from '../../../../coordinator/services/janitor.ts';
import { Listening } from '../../../../coordinator/services/listening.ts';

describe('Listening', () => {
  test('begins with the first empty read, not with the first read', () => {
    const listening = new Listening(1000);
    listening.received(3, 10);
    assert.equal(listening.since, undefined);
    listening.received(0, 20);
    listening.received(5, 30);
    assert.equal(listening.since, 20);
    assert.equal(listening.forAtLeast(100, 119), false);
    assert.equal(listening.forAtLeast(100, 120), true);
  });

  test('begins anew after an outage and after a time in which we did not run', () => {
    const listening = new Listening(1000);
    listening.received(0, 20);
    listening.outage();
    assert.equal(listening.since, undefined);
    listening.received(0, 50);
    listening.received(1, 50 + 1001);
    assert.equal(listening.since, undefined);
  });

  test('has ended already when asked after such a time, before the next receive', () => {
    const listening = new Listening(60_000);
    assert.equal(listening.waitMs, 20_000);
    listening.received(0, 0);
    for (let at = 20_000; at <= 100_000; at += 20_000) listening.received(0, at);
    assert.equal(listening.forAtLeast(60_000, 130_000), true);
    assert.equal(listening.forAtLeast(60_000, 130_001), false);
    assert.equal(listening.forAtLeast(60_000, 99_999), false, 'the clock was set back');
    listening.received(0, 99_999);
    assert.equal(listening.since, 99_999);
  });
});

describe('decideEpoch', () => {
  const record: EpochRecord = { epoch: 4, host: 'there', pid: 7, startedAt: 0, token: 't' };
  const situation = { ours: 4, record, host: 'here', lockCoversStore: false, takeOver: false };

  test('starts at 1, and an unbroken life keeps its epoch', () => {
    assert.equal(decideEpoch({ ...situation, ours: 0, record: undefined }), 1);
    assert.equal(decideEpoch({ ...situation, host: 'there' }), 4);
    assert.equal(decideEpoch({ ...situation, record: { ...record, stoppedAt: 5 } }), 4);
  });
  test('refuses while a coordinator on another machine may be live', () => {
    assert.throws(() => decideEpoch(situation), /process id 7 on there/);
    assert.equal(decideEpoch({ ...situation, lockCoversStore: true }), 4);
  });
  test('refuses when another has taken over, and takes back with a higher epoch', () => {
    const overtaken = { ...situation, ours: 3, record: { ...record, stoppedAt: 5 } };
    assert.throws(() => decideEpoch(overtaken), /--take-over/);
    assert.equal(decideEpoch({ ...overtaken, takeOver: true }), 5);
  });
  test('a new state goes above every epoch used before; a rebuilt one is above already', () => {
    assert.equal(decideEpoch({ ...situation, host: 'there', ours: 0 }), 5);
    assert.equal(decideEpoch({ ...situation, host: 'there', ours: 5 }), 5);
  });
});

describe('dueCleanups', () => {
  const retention = { resultsMs: 1000, logsMs: 2000 };
  const day = 24 * 3600 * 1000;

  test('nothing of a job that is not over', () =>
    assert.deepEqual(dueCleanups({ endedAt: null }, { retention }, 10 * day), []));
  test('nothing before its retention has passed', () =>
    assert.deepEqual(dueCleanups({ endedAt: 0 }, { retention }, 1000), []));
  test('each kind when its own time has passed', () => {
    assert.deepEqual(dueCleanups({ endedAt: 0 }, { retention }, 1001), ['results']);
    assert.deepEqual(dueCleanups({ endedAt: 0 }, { retention }, 2001), ['results', 'logs']);
  });
  test('for ever means for ever; only runs that did not count go', () => {
    assert.deepEqual(
      dueCleanups({ endedAt: 0 }, { retention: { resultsMs: null, logsMs: null } }, 10 * day),
      ['superseded'],
    );
  });
});

test('isNamed keeps the visible run and every run whose end counted', () => {
  const attempt = (run: string, result: 'failed' | 'lost') => ({
    run,
    result,
    attempt: '1.1',
    unit: 'u',
    pool: 'p',
    agent: null,
    reason: null,
    message: null,
    exitCode: null,
    signal: null,
    dispatchedAt: 0,
    startedAt: null,
    endedAt: null,
  });
  const task = { run: '1.3-c', attempts: [attempt('1.1-a', 'failed'), attempt('1.2-b', 'lost')] };
  assert.deepEqual(
    ['1.1-a', '1.2-b', '1.3-c', '1.3-d'].map((run) => isNamed(task, run)),
    [true, false, true, false],
  );
});

test('canonicalJson gives equal values equal bytes, in ASCII', () => {
  assert.equal(
    canonicalJson({ b: [1, { d: undefined, c: 'é😀' }], a: null }),
    '{"a":null,"b":[1,{"c":"\\u00e9\\ud83d\\ude00"}]}',
  );
  assert.deepEqual(JSON.parse(canonicalJson({ c: 'é😀' })), { c: 'é😀' });
});

test('parseBatch says why a message is none of ours', () => {
  const at = { ns: 'n', pool: 'p' };
  const whyNot = (body: string): string => {
    const answer = parseBatch(body, at);
    assert.ok(typeof answer === 'string');
    return answer;
  };
  const batch = {
    v: 1,
    ns: 'n',
    pool: 'p',
    agent: 'a',
    boot: 'b',
    seq: 0,
    sentAt: 0,
    events: [{ type: 'draining' }],
  };
  assert.deepEqual(parseBatch(JSON.stringify(batch), at), batch);
  assert.match(whyNot('{'), /no JSON/);
  assert.match(whyNot('{}'), /^v: /);
  assert.match(whyNot(JSON.stringify({ ...batch, v: 99 })), /version 99/);
  assert.match(whyNot(JSON.stringify({ ...batch, pool: 'q' })), /pool q/);
});
