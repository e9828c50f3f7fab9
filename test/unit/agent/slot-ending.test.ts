import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Isolation, PROCESS_GROUP, probeIsolation } from '../../../agent/process/isolation.ts';
import { cleanLeftovers } from '../../../agent/process/leftovers.ts';
import { waitFor } from '../../helpers/wait.ts';
import { processesWith, program, SlotRig } from './slot-rig.ts';

const best = await probeIsolation();
const levels: [string, Isolation][] = [
  [best.level, best],
  ['process-group', PROCESS_GROUP],
];

for (const [level, isolation] of levels) {
  describe(`ending tasks with isolation ${level}`, () => {
    let rig: SlotRig;
    before(async () => {
      rig = await SlotRig.start({ isolation });
    });
    after(() => rig[Symbol.asyncDispose]());

    /** A duration that names the sleeping processes of one test. */
    let number = 0;
    const unique = (): string => `sleep 9${String(process.pid)}${String(++number)}`;
    const inWorkDirectory = (name: string): Promise<boolean> =>
      rig
        .workDirectory()
        .then((directory) => stat(join(directory, name)))
        .then(
          () => true,
          () => false,
        );
    const begun = (): Promise<true> => waitFor('the task has begun', () => inWorkDirectory('begun'));
    const gone = (what: string): Promise<true> =>
      waitFor(`nothing runs with "${what}"`, async () => (await processesWith(what)).length === 0);

    it('ends a task at its time limit by TERM', async () => {
      const outcome = await rig.run({ command: ['sleep', '60'], timeout: { runMs: 200, graceMs: 10_000 } });
      assert.deepEqual([outcome.result, outcome.reason, outcome.signal], ['failed', 'timeout', 'SIGTERM']);
      assert.match(outcome.message ?? '', /200 ms/);
    });

    it('measures the time limit by a clock that nobody sets', async (t) => {
      const dayTime = Date.now;
      const running = rig.sh('touch begun; exec sleep 60', { timeout: { runMs: 1_000, graceMs: 10_000 } });
      await begun();
      t.mock.method(Date, 'now', () => dayTime() - 3_600_000);
      assert.equal((await running).reason, 'timeout');
    });

    it('lets a task end well within its grace', async () => {
      const outcome = await rig.run({
        command: [program('term-ends-well.sh')],
        timeout: { runMs: 500, graceMs: 10_000 },
      });
      assert.deepEqual(
        [outcome.reason, outcome.exitCode, outcome.stdout.inline],
        ['timeout', 0, 'ready\nbye\n'],
      );
    });

    it('kills a task that ignores TERM after its grace, and goes on', async () => {
      const outcome = await rig.run({
        command: [program('ignore-term.sh')],
        timeout: { runMs: 200, graceMs: 200 },
      });
      assert.deepEqual([outcome.reason, outcome.signal], ['timeout', 'SIGKILL']);
      assert.equal(outcome.stdout.inline, 'ready\n');
      await gone('ignore-term.sh');
      assert.equal((await rig.sh('echo next')).stdout.inline, 'next\n');
    });

    it('kills at once without a grace', async () => {
      const outcome = await rig.run({ command: ['sleep', '60'], timeout: { runMs: 100, graceMs: 0 } });
      assert.deepEqual([outcome.reason, outcome.signal], ['timeout', 'SIGKILL']);
    });

    it('cancels a running task with its grandchildren', async () => {
      const sleep = unique();
      const running = rig.sh(`(sh -c '${sleep} & touch begun; wait' &); wait; ${sleep}`);
      await begun();
      rig.slot.cancel();
      const outcome = await running;
      assert.deepEqual([outcome.result, outcome.reason], ['cancelled', 'cancelled']);
      await gone(sleep);
    });

    it('cancels a task whose children ignore TERM and have sessions of their own', async () => {
      const sleep = unique();
      const running = rig.sh(`trap '' TERM; setsid sh -c '${sleep} & touch begun; wait' & wait; ${sleep}`, {
        timeout: { graceMs: 200 },
      });
      await begun();
      rig.slot.cancel();
      assert.equal((await running).result, 'cancelled');
      await gone(sleep);
    });

    it('kills without a grace when told to, also after a cancel', async () => {
      const running = rig.sh(`trap '' TERM; touch begun; while :; do sleep 0.1; done`, {
        timeout: { graceMs: 600_000 },
      });
      await begun();
      rig.slot.cancel();
      rig.slot.kill();
      assert.equal((await running).result, 'cancelled');
    });

    it('cancels a task at the very moment of its start', async () => {
      for (let n = 0; n < 5; n += 1) {
        const running = rig.sh('sleep 60');
        if (n > 0) await new Promise((resolve) => setTimeout(resolve, n));
        rig.slot.cancel();
        assert.equal((await running).result, 'cancelled');
      }
    });

    it('ends what a finished task left, and its output does not reach the next task', async () => {
      const outcome = await rig.run({ command: [program('leave-daemon.sh')] });
      assert.equal(outcome.result, 'succeeded');
      assert.match(outcome.stdout.inline ?? '', /parent/);
      const next = await rig.sh('echo mine');
      assert.equal(next.stdout.inline, 'mine\n');
      await gone('echo daemon');
      await gone('sleep 301');
    });

    it('gives the next task an undisturbed slot when no task runs', async () => {
      rig.slot.cancel();
      rig.slot.kill();
      assert.equal((await rig.sh('exit 0')).result, 'succeeded');
    });

    it('ends a task that uses too much memory as such', async () => {
      const resources = { memoryBytes: 150 * 1024 * 1024 };
      const outcome = await rig.run({
        command: [process.execPath, program('take-memory.mjs'), '2000'],
        resources,
      });
      assert.deepEqual([outcome.result, outcome.reason], ['failed', 'oom'], outcome.message ?? '');
      const child = await rig.sh(`${process.execPath} ${program('take-memory.mjs')} 2000; exit 3`, {
        resources,
      });
      assert.equal(child.reason, 'oom');
      assert.equal((await rig.sh('exit 4', { resources })).reason, 'exit');
      assert.equal((await rig.sh(`${process.execPath} -e 'Buffer.alloc(300e6, 1)'`)).result, 'succeeded');
    });

    it('is closed while a task runs', async () => {
      await using other = await SlotRig.start({ isolation });
      const sleep = unique();
      const running = other.sh(sleep);
      await waitFor('the task has begun', async () => (await processesWith(sleep)).length > 0);
      await other.slot.close();
      assert.equal((await running).result, 'cancelled');
      await gone(sleep);
      await other.slot.close();
    });

    it('dies with its process, and the next start cleans up', async () => {
      const directory = await realpath(await mkdtemp(join(tmpdir(), 'clobi-host-')));
      const host = fileURLToPath(new URL('../../fixtures/programs/host-slot.ts', import.meta.url));
      const sleep = unique();
      const script = `setsid sh -c '${sleep}' & touch begun; ${sleep}`;
      const child = spawn(process.execPath, [host, directory, level, 'sh', '-c', script], {
        stdio: 'ignore',
      });
      // The host and the script have the words among theirs, too; and so has, for a moment, whatever the host forks.
      await waitFor('two processes sleep', async () => (await processesWith(sleep)).length >= 4);
      const group = await readFile(join(directory, 'slots', '1', 'memory-group'), 'utf8').catch(
        () => undefined,
      );
      child.kill('SIGKILL');
      await once(child, 'exit');
      if (isolation.hasNamespace) await gone(sleep);
      assert.equal(await cleanLeftovers(join(directory, 'slots')), 1);
      assert.deepEqual(await processesWith(sleep), []);
      assert.deepEqual(await readdir(join(directory, 'slots')), []);
      if (group !== undefined) await assert.rejects(stat(group));
      await rm(directory, { recursive: true });
    });
  });
}

describe('cleanLeftovers', () => {
  it('is content when there is nothing', async () => {
    assert.equal(await cleanLeftovers('/nonexistent/slots'), 0);
  });
});
