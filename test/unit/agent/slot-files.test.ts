import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as tar from 'tar';
import type { ObjectStore } from '../../../shared/providers/ports.ts';
import type { OutputFile } from '../../../shared/wire/event.ts';
import { waitFor } from '../../helpers/wait.ts';
import { SlotRig, taskOf } from './slot-rig.ts';

const names = (outputs: OutputFile[]): string[] => outputs.map(({ path }) => path);

describe('a slot brings inputs', () => {
  let rig: SlotRig;
  before(async () => {
    rig = await SlotRig.start();
  });
  after(() => rig[Symbol.asyncDispose]());

  it('puts them where they belong, of the job and of the task', async () => {
    const inputs = [
      await rig.input('a/b.txt', 'one'),
      await rig.input('run', '#!/bin/sh\necho ran', { executable: true }),
    ];
    const own = { ...(await rig.input('own.txt', 'two')), executable: false, unpack: false };
    const outcome = await rig.run(
      { command: ['sh', '-c', 'cat a/b.txt own.txt; ./run'], inputs },
      { inputs: [own] },
    );
    assert.equal(outcome.stdout.inline, 'onetworan\n');
  });

  it('gives each task its own copy', async () => {
    const inputs = [await rig.input('x', 'as it was')];
    assert.equal((await rig.sh('echo spoilt >x', { inputs })).result, 'succeeded');
    assert.equal((await rig.sh('cat x', { inputs })).stdout.inline, 'as it was');
  });

  it('takes an output of another task from its own key', async () => {
    const input = await rig.input('x', 'upstream');
    await rig.store.put('results/other/0/1.1-x/x', 'upstream');
    await rig.store.remove([`inputs/${input.sha256}`]);
    assert.equal(
      (await rig.sh('cat x', { inputs: [{ ...input, key: 'results/other/0/1.1-x/x' }] })).stdout.inline,
      'upstream',
    );
  });

  it('says which input is missing or not what it should be', async () => {
    const missing = { to: 'x', sha256: '0'.repeat(64), sizeBytes: 1 };
    const outcome = await rig.sh('exit 0', { inputs: [missing] });
    assert.deepEqual([outcome.result, outcome.reason], ['failed', 'input']);
    assert.match(outcome.message ?? '', /"x".*no object/);
    const sha256 = '1'.repeat(64);
    await rig.store.put(`inputs/${sha256}`, 'something else');
    assert.match(
      (await rig.sh('exit 0', { inputs: [{ to: 'x', sha256, sizeBytes: 3 }] })).message ?? '',
      /SHA-256/,
    );
  });

  for (const to of ['../x', '/tmp/x', 'a/../../x', '..'])
    it(`refuses to put an input at ${to}`, async () => {
      assert.equal((await rig.sh('exit 0', { inputs: [await rig.input(to, 'x')] })).reason, 'input');
    });

  it('unpacks archives, and lets nothing out of the work directory', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'clobi-tar-'));
    await mkdir(join(directory, 'sub'));
    await writeFile(join(directory, 'sub', 'f'), 'packed');
    await symlink('/tmp', join(directory, 'link'));
    await tar.create({ file: join(directory, 'a.tgz'), gzip: true, cwd: directory }, ['sub', 'link']);
    const archive = await readFile(join(directory, 'a.tgz'));
    await rm(directory, { recursive: true });
    const packed = await rig.input('in', archive, { unpack: true });
    assert.equal((await rig.sh('cat in/sub/f', { inputs: [packed] })).stdout.inline, 'packed');
    const through = await rig.input('in/link/clobi-escape', archive, { unpack: true });
    assert.equal((await rig.sh('exit 0', { inputs: [packed, through] })).reason, 'input');
    assert.equal(
      (await rig.sh('exit 0', { inputs: [await rig.input('in', 'no archive at all', { unpack: true })] }))
        .reason,
      'input',
    );
  });
});

describe('a slot collects outputs', () => {
  let rig: SlotRig;
  before(async () => {
    rig = await SlotRig.start();
  });
  after(() => rig[Symbol.asyncDispose]());

  it('uploads what the globs match, with size and hash, each once', async () => {
    const outcome = await rig.sh(
      'mkdir -p d/e; printf one >d/e/1.txt; printf 22 >2.txt; : >.hidden; echo no >other; ln -s 2.txt link',
      {
        outputs: [
          { glob: '**/*.txt' },
          { glob: './2.txt' },
          { glob: '.hidden' },
          { glob: 'link' },
          { glob: 'nothing-*' },
        ],
      },
    );
    assert.equal(outcome.result, 'succeeded', outcome.message ?? '');
    assert.deepEqual(names(outcome.outputs), ['.hidden', '2.txt', 'd/e/1.txt', 'link']);
    for (const { path, key, sizeBytes, sha256 } of outcome.outputs) {
      assert.equal(key, `results/${outcome.job}/7/${outcome.run}/${path}`);
      const body = await rig.read(key);
      assert.deepEqual([body.length, createHash('sha256').update(body).digest('hex')], [sizeBytes, sha256]);
    }
  });

  it('makes the output directory where outputs are declared, and keeps a whole directory', async () => {
    const outcome = await rig.sh('echo a >"$CLOBI_OUTPUT_DIR/a"; mkdir outputs/b; echo c >outputs/b/c', {
      outputs: [{ glob: 'outputs' }],
    });
    assert.deepEqual(names(outcome.outputs), ['outputs/a', 'outputs/b/c']);
    assert.equal((await rig.sh('ls -A')).stdout.inline, '');
  });

  it('uploads large files', async () => {
    const outcome = await rig.run({
      command: [process.execPath, '-e', `require('node:fs').writeFileSync('big', Buffer.alloc(5e6, 'abc'))`],
      outputs: [{ glob: 'big' }],
    });
    const [big] = outcome.outputs;
    assert.equal(big?.sha256, createHash('sha256').update(Buffer.alloc(5e6, 'abc')).digest('hex'));
    assert.equal((await rig.read(big.key)).length, 5e6);
  });

  it('keeps outputs after a failure only where asked', async () => {
    const outputs = [
      { glob: 'a' },
      { glob: 'b', when: 'failure' as const },
      { glob: 'c', when: 'always' as const },
    ];
    const failed = await rig.sh('touch a b c; exit 1', { outputs });
    assert.deepEqual([failed.reason, names(failed.outputs)], ['exit', ['b', 'c']]);
    assert.deepEqual(names((await rig.sh('touch a b c', { outputs })).outputs), ['a', 'c']);
  });

  it('fails a task without its required output, and keeps what is kept of a failure', async () => {
    const outputs = [
      { glob: 'must-*', required: true },
      { glob: 'c', when: 'always' as const },
    ];
    const outcome = await rig.sh('touch c', { outputs });
    assert.deepEqual([outcome.result, outcome.reason, outcome.exitCode], ['failed', 'output', 0]);
    assert.match(outcome.message ?? '', /must-\*/);
    assert.deepEqual(names(outcome.outputs), ['c']);
    assert.equal((await rig.sh('exit 9', { outputs })).reason, 'exit');
  });

  for (const [what, script, glob] of [
    ['an absolute path', 'exit 0', '/etc/passwd'],
    ['a path with ..', 'exit 0', '../../x'],
    ['a path with .. behind a directory', 'mkdir d', 'd/../../x'],
    ['a link out of the directory', 'ln -s /etc/passwd out', 'out'],
    ['a link out of the directory among others', 'touch a; ln -s /etc/passwd out', '**'],
    ['a file behind a link out', 'ln -s /etc d', 'd/passwd'],
    ['a directory behind a link out', 'ln -s /etc d', 'd'],
    ['a relative link out', 'ln -s ../../../x out; touch ../../../x', 'out'],
    ['a dangling link', 'ln -s nowhere out', 'out'],
    ['a pipe', 'mkfifo out', 'out'],
  ] as const)
    it(`refuses ${what}`, async () => {
      const outcome = await rig.sh(script, { outputs: [{ glob }] });
      if (what === 'a pipe' && outcome.result === 'succeeded') {
        assert.deepEqual(outcome.outputs, []);
        return;
      }
      assert.deepEqual([outcome.result, outcome.reason], ['failed', 'output'], outcome.message ?? '');
      assert.match(outcome.message ?? '', /refused|cannot be read/);
      assert.deepEqual(outcome.outputs, []);
    });

  it('uploads 10,000 small files', async () => {
    const outcome = await rig.run({
      command: [
        process.execPath,
        '-e',
        `for (let n = 0; n < 10000; n += 1) require('node:fs').writeFileSync('outputs/' + n, String(n))`,
      ],
      outputs: [{ glob: 'outputs/*' }],
    });
    assert.equal(outcome.result, 'succeeded', outcome.message ?? '');
    assert.equal(outcome.outputs.length, 10_000);
    assert.equal(
      (await rig.read(outcome.outputs.find(({ path }) => path === 'outputs/9876')!.key)).toString(),
      '9876',
    );
  });
});

/** A store whose calls of one method wait until released. */
function holding(
  store: ObjectStore,
  method: 'get' | 'put',
  keys: RegExp,
  held: { count: number },
): ObjectStore {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        if (name !== method || !keys.test(String(args[0])))
          return Reflect.apply(value, target, args) as unknown;
        held.count += 1;
        return new Promise((_resolve, reject) => setTimeout(() => reject(new Error('held')), 200));
      };
    },
  });
}

describe('a task is cancelled', () => {
  it('while its inputs are brought', async () => {
    const held = { count: 0 };
    await using rig = await SlotRig.start({ wrap: (store) => holding(store, 'get', /^inputs\//, held) });
    const running = rig.sh('touch /tmp/never', { inputs: [await rig.input('x', randomBytes(8))] });
    await waitFor('the input is asked for', () => held.count > 0);
    rig.slot.cancel();
    const outcome = await running;
    assert.deepEqual([outcome.result, outcome.exitCode], ['cancelled', null]);
  });

  it('while its outputs are uploaded', async () => {
    const held = { count: 0 };
    await using rig = await SlotRig.start({ wrap: (store) => holding(store, 'put', /^results\//, held) });
    const running = rig.slot.run(taskOf({ command: ['touch', 'x'], outputs: [{ glob: 'x' }] }));
    await waitFor('the upload has begun', () => held.count > 0);
    rig.slot.cancel();
    const outcome = await running;
    assert.deepEqual([outcome.result, outcome.outputs], ['cancelled', []]);
    assert.equal((await readdir(await rig.workDirectory())).length, 0);
  });
});
