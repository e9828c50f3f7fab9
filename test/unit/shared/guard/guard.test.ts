import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import { ClobiError, type ErrorCode } from '../../../../shared/errors.ts';
import { silentLogger } from '../../../../shared/log.ts';
import { isRefused } from '../../../../shared/providers/guard/breaker.ts';
import { Guard } from '../../../../shared/providers/guard/guard.ts';
import { joinHealth } from '../../../../shared/providers/guard/health.ts';

const START = 1_700_000_000_000;
const failure = (code: ErrorCode): ClobiError => new ClobiError(code, `trouble ${code}`);
const makeGuard = (options: Partial<ConstructorParameters<typeof Guard>[0]> = {}): Guard =>
  new Guard({
    name: 'pool p',
    log: silentLogger,
    needed: ['open', 'units.send'],
    breaker: { random: () => 0 },
    ...options,
  });

/** Calls so often with this failure; resolves to how many reached the provider. */
async function fail(guard: Guard, code: ErrorCode, times: number, operation = 'units.send'): Promise<number> {
  let reached = 0;
  for (let call = 0; call < times; call += 1) {
    const work = async (): Promise<never> => {
      reached += 1;
      throw failure(code);
    };
    await guard.call(operation, work).catch(() => undefined);
  }
  return reached;
}

const ok = (guard: Guard, operation = 'units.send'): Promise<string> =>
  guard.call(operation, async () => 'ok');

beforeEach(() => mock.timers.enable({ apis: ['Date'], now: START }));
afterEach(() => mock.timers.reset());

describe('Guard', () => {
  test('opens after five failures in a row, refuses without a call, and probes with one after a pause', async () => {
    const guard = makeGuard();
    assert.equal(await fail(guard, 'UNAVAILABLE', 8), 5);
    const { dark, since, why, operations } = guard.health;
    assert.deepEqual([dark, since, why], [true, START, 'units.send: trouble UNAVAILABLE']);
    assert.equal(operations['units.send']?.state, 'open');
    assert.equal(operations['units.send'].nextTryAt, START + 750);
    await assert.rejects(
      ok(guard),
      (error) => isRefused(error) && /pool p: units.send is not tried/.test(String(error)),
    );

    mock.timers.setTime(START + 750);
    assert.deepEqual(guard.due(), ['units.send']);
    assert.equal(guard.isDark, true, 'dark until it is seen to work');
    assert.equal(await ok(guard), 'ok');
    assert.deepEqual([guard.isDark, guard.health.since, guard.health.why], [false, null, null]);
  });

  test('a probe that fails doubles the pause, up to a bound', async () => {
    const guard = makeGuard();
    await fail(guard, 'THROTTLED', 5);
    const pauses: number[] = [];
    for (let probe = 0; probe < 7; probe += 1) {
      const { nextTryAt } = guard.health.operations['units.send']!;
      pauses.push(nextTryAt! - Date.now());
      mock.timers.setTime(nextTryAt!);
      assert.equal(await fail(guard, 'THROTTLED', 3), 1);
    }
    assert.deepEqual(pauses, [750, 1500, 3000, 6000, 11_250, 11_250, 11_250]);
    assert.equal(guard.health.since, START, 'since the beginning, not since the last probe');
  });

  for (const code of ['NOT_FOUND', 'PRECONDITION_FAILED', 'LEASE_LOST', 'LIMIT_EXCEEDED'] as const) {
    test(`${code} is an answer: it reaches the caller, counts as a success and is not repeated`, async () => {
      const guard = makeGuard();
      await fail(guard, 'UNAVAILABLE', 4);
      let calls = 0;
      const work = async (): Promise<never> => {
        calls += 1;
        throw failure(code);
      };
      await assert.rejects(guard.call('units.send', work, { again: true }), { code });
      assert.equal(calls, 1);
      assert.equal(guard.health.operations['units.send']?.state, 'ok');
      assert.equal(await fail(guard, 'UNAVAILABLE', 4), 4);
      assert.equal(guard.isDark, false);
    });
  }

  test('bugs are thrown through and open nothing', async () => {
    const guard = makeGuard();
    const bug = new TypeError('x is not a function');
    for (let call = 0; call < 20; call += 1) {
      await assert.rejects(
        guard.call('units.send', () => Promise.reject(bug), { again: true }),
        bug,
      );
    }
    assert.equal(guard.isDark, false);
  });

  for (const code of ['CLOUD_AUTH', 'CLOUD_QUOTA'] as const) {
    test(`${code} stops at once, and is asked again once a minute or when told`, async () => {
      const guard = makeGuard();
      assert.equal(await fail(guard, code, 3), 1);
      const health = guard.health.operations['units.send']!;
      assert.deepEqual([health.state, health.nextTryAt], ['stopped', START + 60_000]);
      mock.timers.setTime(START + 59_999);
      await assert.rejects(ok(guard), { code });
      mock.timers.setTime(START + 60_000);
      assert.equal(await fail(guard, code, 3), 1);
      mock.timers.setTime(START + 61_000);
      guard.retryNow();
      assert.equal(await ok(guard), 'ok');
      assert.equal(guard.health.operations['units.send']?.state, 'ok');
    });
  }

  test('one operation that is not needed makes nothing dark', async () => {
    const guard = makeGuard();
    await fail(guard, 'CLOUD_AUTH', 1, 'store.presign');
    assert.equal(guard.health.operations['store.presign']?.state, 'stopped');
    assert.equal(guard.isDark, false);
    assert.equal(await ok(guard), 'ok');
  });

  test('on trial it is not dark, until the work that tries it has failed', async () => {
    const guard = makeGuard();
    const changes: string[] = [];
    guard.onChange(() => changes.push(guard.isDark ? 'dark' : guard.health.trial ? 'trial' : 'well'));
    await fail(guard, 'UNAVAILABLE', 5);
    guard.letTry('units.send');
    assert.equal(guard.isDark, true, 'it is not due');
    mock.timers.setTime(START + 1_000);
    guard.letTry('units.send');
    assert.deepEqual([guard.isDark, guard.isTroubled, guard.health.trial], [false, true, true]);
    await fail(guard, 'UNAVAILABLE', 1);
    assert.deepEqual([guard.isDark, guard.health.trial, guard.health.since], [true, false, START]);
    mock.timers.setTime(START + 10_000);
    guard.letTry('units.send');
    await ok(guard);
    assert.deepEqual(changes, ['well', 'dark', 'trial', 'dark', 'trial', 'well']);
  });

  test('what is not open is asked nothing, and its opening is tried by the same rules', async () => {
    const guard = makeGuard({ opensLater: true });
    assert.equal(guard.isDark, true);
    await assert.rejects(ok(guard), isRefused);
    assert.equal(await fail(guard, 'UNAVAILABLE', 3, 'open'), 1, 'one failure is enough');
    await assert.rejects(ok(guard), /pool p is not open: trouble UNAVAILABLE/);
    assert.match(guard.health.why ?? '', /open: trouble/);
    mock.timers.setTime(START + 1_000);
    await assert.rejects(ok(guard), isRefused);
    await ok(guard, 'open');
    assert.equal(guard.isDark, false);
    assert.equal(await ok(guard), 'ok');
  });

  test('of calls at the same time one is the probe, the others wait for what it finds', async () => {
    const guard = makeGuard();
    await fail(guard, 'UNAVAILABLE', 5);
    mock.timers.setTime(START + 1_000);
    let running = 0;
    const answer = Promise.withResolvers<string>();
    const work = (): Promise<string> => {
      running += 1;
      return answer.promise;
    };
    const calls = [1, 2, 3].map(() => guard.call('units.send', work));
    await new Promise(setImmediate);
    assert.equal(running, 1);
    answer.resolve('ok');
    assert.deepEqual(await Promise.all(calls), ['ok', 'ok', 'ok']);
  });
});

describe('retries', () => {
  test('are made only where a second call does no harm', async () => {
    const guard = makeGuard();
    let calls = 0;
    const work = async (): Promise<string> => {
      calls += 1;
      if (calls < 3) throw failure('UNAVAILABLE');
      return 'ok';
    };
    await assert.rejects(guard.call('units.send', work));
    assert.equal(calls, 1);
    assert.equal(await guard.call('units.send', work, { again: true }), 'ok');
    assert.equal(calls, 3);
  });

  test('are paid from a budget: when it is spent, what fails fails at once', async () => {
    const guard = makeGuard({ breaker: { opensAfter: Infinity } });
    let calls = 0;
    for (let call = 0; call < 20; call += 1) {
      const work = async (): Promise<never> => {
        calls += 1;
        throw failure('UNAVAILABLE');
      };
      await assert.rejects(guard.call('store.get', work, { again: true }));
    }
    assert.equal(calls, 20 + 10);
    for (let call = 0; call < 10; call += 1) await ok(guard);
    await fail(guard, 'UNAVAILABLE', 1);
    let more = 0;
    await assert.rejects(
      guard.call(
        'store.get',
        async () => {
          more += 1;
          throw failure('UNAVAILABLE');
        },
        { again: true },
      ),
    );
    assert.equal(more, 2, 'ten successes pay for one');
  });
});

test('transfers wait behind transfers, other calls do not, and a receive waits for nobody', async () => {
  const guard = makeGuard();
  const forever = Promise.withResolvers<undefined>();
  let transfers = 0;
  const all: Promise<undefined>[] = [];
  const work = (): Promise<undefined> => ((transfers += 1), forever.promise);
  for (let call = 0; call < 20; call += 1) all.push(guard.call('store.put', work, { lane: 'transfers' }));
  assert.equal(await ok(guard, 'store.get'), 'ok');
  assert.equal(transfers, 8);
  for (let call = 0; call < 200; call += 1) all.push(guard.call('store.head', () => forever.promise));
  assert.equal(await guard.call('units.receive', async () => 'ok', { lane: 'none' }), 'ok');
  forever.resolve(undefined);
  await Promise.all(all);
  assert.equal(transfers, 20);
});

test('joined health is dark when a part is, since the first of them', () => {
  const well = makeGuard().health;
  const bad = { ...well, dark: true, since: 5, why: 'a' };
  const trial = { ...well, trial: true, since: 3, why: 'b' };
  assert.equal(joinHealth([well, well]).dark, false);
  assert.deepEqual(joinHealth([well, bad, trial]), { ...well, dark: true, trial: false, since: 3, why: 'a' });
  assert.equal(joinHealth([well, trial]).trial, true);
});
