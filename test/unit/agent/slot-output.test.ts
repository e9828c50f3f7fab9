import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { ObjectStore } from '../../../shared/providers/ports.ts';
import { logKey } from '../../../shared/wire/keys.ts';
import { waitFor } from '../../helpers/wait.ts';
import { program, SlotRig, taskOf } from './slot-rig.ts';

const MIB = 1024 * 1024;

describe('a slot captures output', () => {
  let rig: SlotRig;
  before(async () => {
    rig = await SlotRig.start();
  });
  after(() => rig[Symbol.asyncDispose]());

  it('keeps output without a newline, and binary output byte by byte', async () => {
    assert.deepEqual((await rig.sh('printf abc')).stdout, { bytes: 3, inline: 'abc' });
    const binary = await rig.run({
      command: [
        process.execPath,
        '-e',
        'process.stdout.write(Buffer.from(Array.from({ length: 256 }, (_, i) => i)))',
      ],
    });
    assert.deepEqual(binary.stdout, { bytes: 256, chunks: 1 }, 'not as text, which would change it');
    assert.deepEqual(
      [...(await rig.log(binary, 'stdout'))],
      Array.from({ length: 256 }, (_, i) => i),
    );
  });

  it('keeps the two streams of consecutive tasks apart', async () => {
    for (let n = 0; n < 50; n += 1) {
      const outcome = await rig.sh(`printf o${String(n)}; printf e${String(n)} >&2`);
      assert.deepEqual([outcome.stdout.inline, outcome.stderr.inline], [`o${String(n)}`, `e${String(n)}`]);
    }
  });

  it('keeps 16 KiB inline and puts more into chunks', async () => {
    const inline = await rig.sh('head -c 16384 /dev/zero');
    assert.equal(inline.stdout.inline?.length, 16384);
    const longer = await rig.sh('head -c 16385 /dev/zero');
    assert.deepEqual(longer.stdout, { bytes: 16385, chunks: 1 });
    assert.equal((await rig.log(longer, 'stdout')).length, 16385);
  });

  it('takes 200 MB of output in gapless chunks, in bounded memory', async () => {
    const before = process.memoryUsage().rss;
    const outcome = await rig.sh('yes 0123456789abcde | head -c 200000000; echo end >&2');
    assert.equal(outcome.result, 'succeeded');
    assert.equal(outcome.stdout.bytes, 200_000_000);
    assert.equal(outcome.stderr.inline, 'end\n');
    const chunks = outcome.stdout.chunks ?? 0;
    const hash = createHash('sha256');
    for (let n = 0; n < chunks; n += 1) {
      const chunk = await rig.read(logKey(outcome, 'stdout', n));
      assert.ok(chunk.length <= 4 * MIB && chunk.length > 0);
      hash.update(chunk);
    }
    const expected = createHash('sha256');
    for (let n = 0; n < 200; n += 1) expected.update('0123456789abcde\n'.repeat(62_500));
    assert.equal(hash.digest('hex'), expected.digest('hex'));
    assert.ok(process.memoryUsage().rss - before < 200 * MIB, 'memory stays bounded');
  });

  it('loses nothing of a task that prints much and is killed', async () => {
    const outcome = await rig.sh('head -c 9000000 /dev/zero; kill -KILL $$');
    assert.equal(outcome.signal, 'SIGKILL');
    assert.equal(outcome.stdout.bytes, 9_000_000);
    assert.equal((await rig.log(outcome, 'stdout')).length, 9_000_000);
  });

  it('is not disturbed by a task that leaves its stdout non-blocking', async () => {
    assert.equal(
      (await rig.run({ command: [process.execPath, program('set-nonblocking.mjs')] })).signal,
      'SIGKILL',
    );
    const outcome = await rig.sh('head -c 3000000 /dev/zero');
    assert.deepEqual(
      [outcome.result, outcome.stdout.bytes, outcome.stderr.inline],
      ['succeeded', 3_000_000, ''],
    );
  });

  it('lets tasks open /dev/stdout and /dev/stderr', async () => {
    const outcome = await rig.sh('echo a >/dev/stdout; echo b | tee /dev/stderr');
    assert.deepEqual([outcome.stdout.inline, outcome.stderr.inline], ['a\nb\n', 'b\n']);
  });

  it('uploads short output while the task runs, when somebody follows', async () => {
    const task = taskOf({
      command: ['sh', '-c', 'echo first; while [ ! -e go ]; do sleep 0.05; done; echo second'],
    });
    rig.slot.follow(true);
    const running = rig.slot.run(task);
    const key = logKey({ job: task.unit.job, index: 7, run: task.run }, 'stdout', 0);
    await waitFor('the first chunk is there', () => rig.store.head(key));
    assert.equal((await rig.read(key)).toString(), 'first\n');
    const { writeFile } = await import('node:fs/promises');
    await writeFile(`${await rig.workDirectory()}/go`, '');
    const outcome = await running;
    rig.slot.follow(false);
    assert.deepEqual(outcome.stdout, { bytes: 13, chunks: 2 });
    assert.equal((await rig.log(outcome, 'stdout')).toString(), 'first\nsecond\n');
    assert.deepEqual(outcome.stderr, { bytes: 0, inline: '' });
  });
});

describe('a store that fails', () => {
  it('is tried again', async () => {
    let failures = 2;
    const wrap = (store: ObjectStore): ObjectStore =>
      new Proxy(store, {
        get: (target, name) => {
          const value: unknown = Reflect.get(target, name);
          if (typeof value !== 'function') return value;
          return async (...args: unknown[]): Promise<unknown> => {
            if (name === 'put' && failures-- > 0) throw new Error('connection reset');
            return Reflect.apply(value, target, args) as unknown;
          };
        },
      });
    await using rig = await SlotRig.start({ wrap });
    const outcome = await rig.sh('head -c 20000 /dev/zero');
    assert.deepEqual(outcome.stdout, { bytes: 20000, chunks: 1 });
    assert.ok(failures < 0);
  });
});
