import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { program, SlotRig } from './slot-rig.ts';

describe('a slot runs a command', () => {
  let rig: SlotRig;
  before(async () => {
    rig = await SlotRig.start();
  });
  after(() => rig[Symbol.asyncDispose]());

  it('reports a success with its output and times', async () => {
    const outcome = await rig.sh('echo out; echo err >&2');
    assert.equal(outcome.result, 'succeeded');
    assert.equal(outcome.exitCode, 0);
    assert.equal(outcome.reason, null);
    assert.deepEqual(outcome.stdout, { bytes: 4, inline: 'out\n' });
    assert.deepEqual(outcome.stderr, { bytes: 4, inline: 'err\n' });
    assert.ok(outcome.endedAt >= outcome.startedAt);
  });

  for (const code of [1, 2, 125, 126, 127, 128, 130, 137, 143, 255]) {
    it(`reports exit code ${String(code)} as such`, async () => {
      const outcome = await rig.sh(`exit ${String(code)}`);
      assert.equal(outcome.result, 'failed');
      assert.equal(outcome.reason, 'exit');
      assert.equal(outcome.exitCode, code);
      assert.equal(outcome.signal, null);
    });
  }

  for (const signal of ['KILL', 'TERM', 'SEGV', 'HUP', 'ALRM', 'ABRT']) {
    it(`reports an end by SIG${signal} as a signal, from a shell and from a program`, async () => {
      const killed = await rig.sh(`kill -${signal} $$`);
      assert.deepEqual([killed.reason, killed.signal, killed.exitCode], ['signal', `SIG${signal}`, null]);
      const direct = await rig.run({
        command: [
          process.execPath,
          '-e',
          `process.kill(process.pid, 'SIG${signal}'); setTimeout(() => {}, 60000)`,
        ],
      });
      assert.deepEqual([direct.reason, direct.signal, direct.exitCode], ['signal', `SIG${signal}`, null]);
    });
  }

  it('tells exit code 137 of a program from SIGKILL, also when a child of a script was killed', async () => {
    const plain = await rig.run({ command: [process.execPath, '-e', 'process.exit(137)'] });
    assert.deepEqual([plain.reason, plain.exitCode], ['exit', 137]);
    const script = await rig.sh("sh -c 'kill -KILL $$'; exit 137");
    assert.deepEqual([script.reason, script.exitCode], ['exit', 137]);
  });

  it('passes every kind of argument unchanged', async () => {
    const words = [
      '',
      ' ',
      'a b',
      "it's",
      '"',
      '\\',
      '$HOME',
      '`id`',
      'two\nlines',
      '-n',
      '--',
      'ünïcode ☃ 🚀',
      '*',
      '!',
      '\t',
      "'",
      "''",
      '#',
      ';',
      '(&|<>',
    ];
    const outcome = await rig.run({ command: [program('print-words.sh'), ...words] });
    assert.deepEqual((outcome.stdout.inline ?? '').split('\0').slice(0, -1), [
      String(words.length),
      ...words,
    ]);
  });

  it('passes an argument of 100 KiB', async () => {
    const outcome = await rig.run({
      command: [process.execPath, '-p', 'process.argv[1].length', 'x'.repeat(100 * 1024)],
    });
    assert.equal(outcome.stdout.inline, '102400\n');
  });

  it('does not take a program for what the shell has built in', async () => {
    const outcome = await rig.run({ command: ['test', 'a', '=', 'b'] });
    assert.deepEqual([outcome.reason, outcome.exitCode], ['exit', 1]);
    assert.equal((await rig.run({ command: ['exit', '3'] })).reason, 'start');
    assert.equal((await rig.run({ command: ['true'] })).result, 'succeeded');
  });

  for (const [name, command] of [
    ['a missing program', ['clobi-no-such-program']],
    ['a missing file', ['/nonexistent/program']],
    ['a missing relative file', ['./nothing']],
    ['an empty name', ['']],
    ['a directory', ['/tmp']],
    ['a file that is not executable', ['/etc/passwd']],
    ['an argument too long for the system', ['/bin/echo', 'x'.repeat(200 * 1024)]],
    ['a NUL character', ['/bin/echo', 'a\0b']],
  ] as const) {
    it(`says why ${name} could not be started`, async () => {
      const outcome = await rig.run({ command: [...command] });
      assert.equal(outcome.result, 'failed');
      assert.equal(outcome.reason, 'start', outcome.message ?? '');
      assert.match(outcome.message ?? '', /could not be started/);
      assert.equal((await rig.sh('exit 0')).result, 'succeeded');
    });
  }

  it('gives exactly the environment that is promised', async () => {
    process.env['CLOBI_TEST_SECRET'] = 'must not be seen';
    const outcome = await rig.run({
      command: ['/usr/bin/env', '-0'],
      env: {
        PLAIN: 'a b',
        QUOTED: `it's "x"\n$HOME`,
        'WITH-DASH': 'd',
        OPTIND: 'odd',
        CLOBI_JOB_ID: 'not this',
        EMPTY: '',
      },
      resources: { cpus: 0.5, memoryBytes: 64 * 1024 * 1024 },
    });
    const env = Object.fromEntries(
      (outcome.stdout.inline ?? '')
        .split('\0')
        .slice(0, -1)
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    const work = env['CLOBI_WORK_DIR'] ?? '';
    const passedOn = Object.fromEntries(
      ['PATH', 'LANG', 'TZ'].flatMap((name) =>
        process.env[name] === undefined ? [] : [[name, process.env[name]]],
      ),
    );
    assert.deepEqual(env, {
      ...passedOn,
      HOME: work,
      PLAIN: 'a b',
      QUOTED: `it's "x"\n$HOME`,
      'WITH-DASH': 'd',
      OPTIND: 'odd',
      EMPTY: '',
      CLOBI_JOB_ID: outcome.job,
      CLOBI_TASK_ID: `${outcome.job}/7`,
      CLOBI_TASK_INDEX: '7',
      CLOBI_TASK_COUNT: '9',
      CLOBI_ATTEMPT: '1.1',
      CLOBI_WORK_DIR: work,
      CLOBI_OUTPUT_DIR: `${work}/outputs`,
      CLOBI_CPUS: '0.5',
      CLOBI_MEMORY: String(64 * 1024 * 1024),
    });
    assert.ok(work.startsWith(rig.directory));
  });

  it('leaves no file descriptor of its own open in the task', async () => {
    const command = ['-c', 'ls /proc/$$/fd'] as const;
    const bare = spawnSync('sh', command, { encoding: 'utf8' }).stdout;
    const outcome = await rig.run({ command: ['sh', ...command] });
    assert.equal(outcome.stdout.inline, bare);
  });

  it('runs in an empty work directory each time, whatever the last task left', async () => {
    const first = await rig.sh('pwd; echo x >file; mkdir -p d/e; touch d/e/f');
    const second = await rig.sh('pwd; ls -A');
    assert.equal(second.stdout.inline, first.stdout.inline);
    assert.equal((await rig.sh('cd ..; rmdir "$CLOBI_WORK_DIR"')).result, 'succeeded');
    assert.equal((await rig.sh('pwd; ls -A; chmod 000 .')).stdout.inline, first.stdout.inline);
    assert.equal((await rig.sh('mkdir -p a/b; touch a/b/c; chmod 000 a/b a .')).result, 'succeeded');
    const mode = await rig.sh('stat -c %a .; ls -A');
    assert.equal(mode.stdout.inline, '700\n');
    assert.equal((await rig.sh('touch .hidden')).result, 'succeeded');
    assert.equal((await rig.sh('ls -A')).stdout.inline, '');
  });

  it('hands over stdin as text, as a file, and nothing by default', async () => {
    assert.equal(
      (await rig.run({ command: ['cat'], stdin: { text: 'ünïcode\nno newline' } })).stdout.inline,
      'ünïcode\nno newline',
    );
    assert.equal((await rig.run({ command: ['cat'] })).stdout.inline, '');
    const inputs = [await rig.input('dir/in.txt', 'from a file')];
    assert.equal(
      (await rig.run({ command: ['cat'], inputs, stdin: { path: 'dir/in.txt' } })).stdout.inline,
      'from a file',
    );
    assert.equal((await rig.run({ command: ['cat'], stdin: { path: 'missing' } })).reason, 'input');
    assert.equal((await rig.run({ command: ['cat'], stdin: { path: '../../x' } })).reason, 'input');
  });

  it('runs scripts with the shell asked for', async () => {
    const strict = await rig.run({
      script: 'case $0 in "$PWD"*) echo inside;; esac; echo one\nfalse\necho two\n',
    });
    assert.deepEqual([strict.exitCode, strict.stdout.inline], [1, 'one\n']);
    const bash = await rig.run({
      script: 'a=(x y); echo "${a[1]} $BASH_VERSION" | cut -c1-2',
      shell: ['bash', '-euo', 'pipefail'],
    });
    assert.equal(bash.stdout.inline, 'y \n');
  });

  it('renders templates for the task', async () => {
    const outcome = await rig.run(
      { command: ['echo', '${{ item.name }}-${{ task.index }}'] },
      { item: { name: 'a' } },
    );
    assert.equal(outcome.stdout.inline, 'a-7\n');
    assert.equal((await rig.run({ command: ['echo', '${{ item.name }}'] })).reason, 'start');
  });

  it('measures what a task of some seconds used', async () => {
    const outcome = await rig.run({
      command: [process.execPath, '-e', 'const end = Date.now() + 2500; while (Date.now() < end);'],
    });
    assert.ok((outcome.cpuMs ?? 0) > 200, `cpu ${String(outcome.cpuMs)}`);
    assert.ok((outcome.maxRssBytes ?? 0) > 10_000_000, `memory ${String(outcome.maxRssBytes)}`);
  });
});
