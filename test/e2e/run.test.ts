import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { CLOBI, clobi } from '../helpers/process.ts';
import { waitFor } from '../helpers/wait.ts';

/** `clobi run`: everything on this machine in the foreground. */
let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'clobi-run-'));
});
afterEach(async () => rm(cwd, { recursive: true, force: true, maxRetries: 5 }));

describe('clobi run', () => {
  test('one command: its output, its exit code', async () => {
    const good = await clobi(['run', '--', 'echo', 'hello'], { cwd });
    assert.equal(good.code, 0, good.stderr);
    const bad = await clobi(['run', '--', 'sh', '-c', 'echo oops >&2; exit 3'], { cwd });
    assert.equal(bad.code, 10, bad.stderr);
    assert.match(bad.stderr, /exit code 3|exited with 3|exit 3/);
  });

  test('a task for every line of a file, results on disk', async () => {
    await writeFile(join(cwd, 'names.txt'), 'ada\ngrace\nÉmilie du Châtelet\n');
    const { code, stderr } = await clobi(
      [
        'run',
        '--each-line',
        'names.txt',
        '--output',
        'outputs/*',
        '--results',
        'res',
        '--',
        'sh',
        '-c',
        'printf %s "$1" > outputs/name',
        'sh',
        '{}',
      ],
      { cwd },
    );
    assert.equal(code, 0, stderr);
    const [job] = await readdir(join(cwd, 'res'));
    assert.equal(
      await readFile(join(cwd, 'res', job ?? '', '2', 'outputs', 'name'), 'utf8'),
      'Émilie du Châtelet',
    );
  });

  test('interrupted and run again it goes on where it was: what succeeded does not run again', async () => {
    const ran = join(cwd, 'ran');
    const gate = join(cwd, 'gate');
    await writeFile(
      join(cwd, 'job.yaml'),
      `apiVersion: clobi/v1
name: resume
array: { count: 6 }
env: { RAN: ${ran}, GATE: ${gate} }
script: |
  echo $CLOBI_TASK_INDEX >> $RAN
  if [ $CLOBI_TASK_INDEX -ge 3 ]; then while [ ! -e $GATE ]; do sleep 0.05; done; fi
`,
    );
    const first = spawn(process.execPath, [CLOBI, 'run', '--slots', '1', 'job.yaml'], {
      cwd,
      stdio: 'ignore',
    });
    await waitFor(
      'the fourth task runs',
      async () => (await readFile(ran, 'utf8').catch(() => '')).split('\n').length > 4,
    );
    first.kill('SIGKILL');
    await once(first, 'exit');
    await writeFile(gate, '');
    const second = await clobi(['run', '--slots', '1', 'job.yaml'], { cwd });
    assert.equal(second.code, 0, second.stderr);
    const indices = (await readFile(ran, 'utf8')).trim().split('\n');
    for (const done of ['0', '1', '2'])
      assert.equal(indices.filter((index) => index === done).length, 1, `task ${done} ran once`);
    for (const open of ['3', '4', '5']) assert.ok(indices.includes(open));
  });

  test('leaves no process behind when it is killed', async () => {
    const mark = join(cwd, 'mark');
    const run = spawn(
      process.execPath,
      [CLOBI, 'run', '--', 'sh', '-c', `while :; do echo x >> ${mark}; sleep 0.05; done`],
      { cwd, stdio: 'ignore' },
    );
    const size = async (): Promise<number> =>
      readFile(mark).then(
        (bytes) => bytes.length,
        () => 0,
      );
    await waitFor('it runs', async () => (await size()) > 4);
    run.kill('SIGKILL');
    await once(run, 'exit');
    await waitFor('its task has stopped', async () => {
      const before = await size();
      await new Promise((resolve) => setTimeout(resolve, 300));
      return before === (await size());
    });
  });
});

test('a failed upstream task that is mended and retried feeds the job that waited for it', async () => {
  const mended = join(cwd, 'mended');
  await writeFile(
    join(cwd, 'chain.yaml'),
    `apiVersion: clobi/v1
name: gen
array: { count: 3 }
env: { MENDED: ${mended} }
script: |
  [ $CLOBI_TASK_INDEX != 1 ] || [ -e $MENDED ]
  echo part-$CLOBI_TASK_INDEX > part
outputs: [{ glob: part, required: true }]
---
apiVersion: clobi/v1
name: merge
depends: [gen]
inputs: [{ fromJob: gen, glob: part, to: in/ }]
script: cat in/*/part > outputs/all
outputs: [{ glob: outputs/all, required: true }]
`,
  );
  assert.equal((await clobi(['run', 'chain.yaml', '--results', 'res'], { cwd })).code, 10);
  await writeFile(mended, '');
  const again = await clobi(['run', 'chain.yaml', '--results', 'res'], { cwd });
  assert.equal(again.code, 0, again.stderr);
  assert.equal(
    await readFile(join(cwd, 'res', 'merge', '0', 'outputs', 'all'), 'utf8'),
    'part-0\npart-1\npart-2\n',
  );
});
