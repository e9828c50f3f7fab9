import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Service, type ServiceOptions } from '../../shared/service.ts';
import { silentLogger } from '../../shared/log.ts';

/** Makes a service that calls `runOnce` for each pass. */
type Make = (
  runOnce: ServiceOptions['runOnce'],
  intervalMs: number,
) => Pick<Service, 'start' | 'stop' | 'wake'>;

const NEVER_MS = 3_600_000;

/** Passes counted, and awaited by number; a test that waits in vain is ended by its timeout. */
class Passes {
  #count = 0;
  #waiting: { number: number; resolve: () => void }[] = [];

  get count(): number {
    return this.#count;
  }

  add(): void {
    this.#count += 1;
    for (const { resolve } of this.#waiting.filter(({ number }) => number <= this.#count)) resolve();
    this.#waiting = this.#waiting.filter(({ number }) => number > this.#count);
  }

  reached(number: number): Promise<void> {
    if (this.#count >= number) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ number, resolve }));
  }
}

export const makeService: Make = (runOnce, intervalMs) =>
  new Service({ name: 'tested', intervalMs, log: silentLogger, runOnce });

/** What every long-running part promises about start, stop and wake. */
export function serviceContract(make: Make): void {
  const timeout = 10_000;
  stoppingCases(make, timeout);

  it('goes on after a pass that throws', { timeout }, async () => {
    const passes = new Passes();
    const service = make(async () => {
      passes.add();
      if (passes.count < 3) throw new Error('a pass that fails');
      return false;
    }, NEVER_MS);
    service.start();
    await passes.reached(3);
    await service.stop();
  });

  it('makes another pass when woken during one', { timeout }, async () => {
    const passes = new Passes();
    const service = make(async () => {
      passes.add();
      if (passes.count === 1) service.wake();
      return false;
    }, NEVER_MS);
    service.start();
    await passes.reached(2);
    await service.stop();
    assert.equal(passes.count, 2);
  });

  it('makes one more pass for many wakes', { timeout }, async () => {
    const passes = new Passes();
    const service = make(async () => {
      passes.add();
      return false;
    }, NEVER_MS);
    service.start();
    await new Promise(setImmediate);
    for (let n = 0; n < 5; n += 1) service.wake();
    await passes.reached(2);
    await new Promise(setImmediate);
    assert.equal(passes.count, 2);
    await service.stop();
  });

  it('makes the next pass at once while there is more, else after its interval', { timeout }, async () => {
    const passes = new Passes();
    const service = make(async () => {
      passes.add();
      return passes.count < 50;
    }, 20);
    service.start();
    await passes.reached(52);
    await service.stop();
  });
}

function stoppingCases(make: Make, timeout: number): void {
  it('may be stopped before it is started, and twice', { timeout }, async () => {
    const passes = new Passes();
    const service = make(async () => {
      passes.add();
      return false;
    }, NEVER_MS);
    await service.stop();
    assert.equal(passes.count, 0);
    service.start();
    await passes.reached(1);
    await Promise.all([service.stop(), service.stop()]);
    await service.stop();
    service.wake();
    await new Promise(setImmediate);
    assert.equal(passes.count, 1, 'no pass after the stop');
  });

  it('may be started twice, and again after a stop', { timeout }, async () => {
    const passes = new Passes();
    const service = make(async () => {
      passes.add();
      return false;
    }, NEVER_MS);
    service.start();
    service.start();
    await passes.reached(1);
    await service.stop();
    service.start();
    await passes.reached(2);
    await service.stop();
    assert.equal(passes.count, 2);
  });

  it('stops only when the pass under way has ended, and tells it to', { timeout }, async () => {
    const passes = new Passes();
    let ended = false;
    const service = make(async (signal) => {
      passes.add();
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      await new Promise(setImmediate);
      ended = true;
      return true;
    }, NEVER_MS);
    service.start();
    await passes.reached(1);
    await service.stop();
    assert.ok(ended);
    assert.equal(passes.count, 1);
  });

  it('stops during the pause after a failure', { timeout }, async () => {
    const passes = new Passes();
    const service = make(async () => {
      passes.add();
      throw new Error('a pass that fails');
    }, NEVER_MS);
    service.start();
    await passes.reached(4);
    const start = performance.now();
    await service.stop();
    assert.ok(performance.now() - start < 1_000, 'it did not wait out its pause');
  });
}
