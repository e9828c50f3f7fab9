import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { waitFor } from '../helpers/wait.ts';
import { Cluster } from '../helpers/cluster.ts';
import { CLOBI, type CliResult, clobi } from '../helpers/process.ts';

/** The command line against a real coordinator and agent: exit codes, what is on stdout, what errors say. */
let cluster: Cluster;
let directory: string;
const run = (...args: string[]): Promise<CliResult> =>
  clobi([...args, '--home', cluster.home], { cwd: directory });

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'clobi-cli-'));
  cluster = await Cluster.create();
  await cluster.startCoordinator();
  cluster.startAgent('a');
});
after(async () => {
  await cluster[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const submitted = async (yaml: string, ...options: string[]): Promise<string> =>
  (await submittedAll(yaml, ...options)).at(-1) ?? '';

async function submittedAll(yaml: string, ...options: string[]): Promise<string[]> {
  const file = join(directory, 'job.yaml');
  await writeFile(file, yaml);
  const { code, stdout, stderr } = await run('submit', file, ...options, '-o', 'name');
  assert.equal(code, 0, stderr);
  return stdout.trim().split('\n');
}

describe('exit codes', () => {
  test('0 for a job that succeeds, 10 for one that fails, 11 for a cancelled one, 124 when the wait is over', async () => {
    const good = await submitted('apiVersion: clobi/v1\ncommand: ["true"]\n');
    assert.equal((await run('job', 'wait', good)).code, 0);
    const bad = await submitted('apiVersion: clobi/v1\ncommand: ["false"]\n');
    assert.equal((await run('job', 'wait', bad)).code, 10);
    const slow = await submitted('apiVersion: clobi/v1\ncommand: [sleep, "600"]\n');
    assert.equal((await run('job', 'wait', slow, '--timeout', '300ms')).code, 124);
    assert.equal((await run('job', 'cancel', slow)).code, 0);
    assert.equal((await run('job', 'wait', slow)).code, 11);
  });
  test('2 for usage, 3 for what is not there, 4 for a wrong token, 5 for no coordinator', async () => {
    assert.equal((await run('frobnicate')).code, 2);
    assert.equal((await run('job', 'show', '01ZZZZZZZZZZZZZZZZZZZZZZZZ')).code, 3);
    const endpoint = await cluster.endpoint();
    const wrong = await clobi(['ps'], { env: { CLOBI_URL: endpoint?.url ?? '', CLOBI_TOKEN: 'wrong' } });
    assert.equal(wrong.code, 4);
    const nobody = await clobi(['ps'], { env: { CLOBI_URL: 'http://127.0.0.1:1', CLOBI_TOKEN: 'x' } });
    assert.equal(nobody.code, 5);
    assert.match(nobody.stderr, /coordinator start|clobi run/);
  });
  test('6 for a second coordinator on the same directory, which names the first', async () => {
    const second = await run('coordinator', 'start');
    assert.equal(second.code, 6);
    assert.match(second.stderr, new RegExp(String(cluster.coordinator?.child.pid)));
  });
});

describe('Ctrl-C on a terminal', () => {
  test('while watching detaches, says so and leaves the job alone', async () => {
    const job = await submitted('apiVersion: clobi/v1\nname: watched\ncommand: [sleep, "600"]\n');
    // A new terminal has no size.
    const line = `stty cols 100 rows 30; exec "${process.execPath}" "${CLOBI}" watch last --home "${cluster.home}"`;
    const terminal = spawn('script', ['-qfec', line, '/dev/null'], { stdio: 'pipe' });
    let shown = '';
    terminal.stdout.on('data', (chunk: Buffer) => void (shown += chunk.toString()));
    const exited = once(terminal, 'exit');
    await waitFor('progress', () => shown.includes('watched'));
    terminal.stdin.write('\x03');
    const [code] = (await exited) as [number];
    assert.match(shown, new RegExp(`Detached\\. The job goes on; "clobi watch ${job}"`));
    assert.equal(code, 130);
    const view = JSON.parse((await run('job', 'show', job, '-o', 'json')).stdout) as {
      endedAt: number | null;
    };
    assert.equal(view.endedAt, null);
    await run('job', 'cancel', job);
  });
});

describe('bad job files are refused whole, with every problem at its place', () => {
  test('near misses, wrong types and unknown keys at once; nothing is submitted', async () => {
    const file = join(directory, 'bad.yaml');
    await writeFile(
      file,
      'apiVersion: clobi/v1\ncomand: ["true"]\nenv:\n  PORT: 8080\nresources:\n  memory: 8 gigs\n',
    );
    const before = JSON.parse((await run('ps', '-o', 'json')).stdout) as unknown[];
    const { code, stdout, stderr } = await run('submit', file);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /bad\.yaml:2:1 .*did you mean "command"/);
    assert.match(stderr, /bad\.yaml:4:9 .*"8080"/);
    assert.match(stderr, /bad\.yaml:6:11 /);
    assert.doesNotMatch(stderr, /at .*\.ts:\d+/, 'no stack trace');
    assert.deepEqual(JSON.parse((await run('ps', '-o', 'json')).stdout), before);
  });
  test('what only the coordinator can see refuses all documents of the file, too', async () => {
    const file = join(directory, 'several.yaml');
    const job = (name: string, rest: string): string =>
      `---\napiVersion: clobi/v1\nname: ${name}\ncommand: ["true"]\n${rest}`;
    await writeFile(
      file,
      job('first', '') +
        job('second', 'depends: [first]\nplacement: { pool: nowhere }\n') +
        job('third', 'depends: [01ZZZZZZZZZZZZZZZZZZZZZZZZ]\n'),
    );
    const all = async (): Promise<string> => (await run('ps', '-a', '-o', 'name')).stdout;
    const before = await all();
    const { code, stdout, stderr } = await run('submit', file);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /several\.yaml: second: .*pool nowhere/);
    assert.match(stderr, /several\.yaml: third: .*does not exist/);
    assert.equal(await all(), before);
  });
});

describe('what a person asks', () => {
  test('explain says which requirement rules each pool out', async () => {
    const job = await submitted('apiVersion: clobi/v1\ncommand: ["true"]\nresources: { cpus: 500 }\n');
    const { code, stdout } = await run('explain', job);
    assert.equal(code, 0);
    assert.match(stdout, /local/);
    assert.match(stdout, /500/);
    await run('job', 'cancel', job);
  });
  test('explain says until when a job waits to try again', async () => {
    const job = await submitted(
      'apiVersion: clobi/v1\nscript: exit 1\nretry: { limit: 1, backoff: { initial: 1h, max: 1h } }\n',
    );
    await waitFor('the backoff', async () => (await run('task', 'list', job)).stdout.includes('backoff'));
    assert.match(
      (await run('explain', job)).stdout,
      /1 task did not succeed and is tried again; .* at \d{4}-/,
    );
    assert.match((await run('explain', `${job}/0`)).stdout, /tried again at \d{4}-[^]*Next try: +in \d/);
    await run('job', 'cancel', job);
  });
  test('explain says why some tasks of a job were cancelled', async () => {
    const [up, down] = await submittedAll(
      `apiVersion: clobi/v1\nname: up\narray: { count: 2 }\nscript: exit $CLOBI_TASK_INDEX\n---\n` +
        `apiVersion: clobi/v1\nname: down\narray: { count: 2 }\ndepends: [{ job: up, by: tasks }]\ncommand: ["true"]\n`,
    );
    assert.equal((await run('job', 'wait', down ?? '')).code, 11, 'nothing of it failed');
    const { stdout } = await run('explain', down ?? '');
    assert.match(stdout, /1 task was cancelled/);
    assert.match(stdout, /depends on did not succeed.*1 task, e\.g\. task 1/);
    assert.match(stdout, new RegExp(`job ${up ?? ''} \\(up\\), which is partial`));
    assert.doesNotMatch(stdout, /Pools/, 'where it could run is past');
  });
  test('retry --failed runs only what failed, with more memory', async () => {
    const marker = join(directory, 'fixed');
    const job = await submitted(
      `apiVersion: clobi/v1\narray: { count: 4 }\nenv: { MARK: ${marker} }\nscript: |\n  [ $CLOBI_TASK_INDEX -lt 2 ] || [ -e $MARK ]\n`,
    );
    assert.equal((await run('job', 'wait', job)).code, 10);
    await writeFile(marker, '');
    const retried = await run('job', 'retry', job, '--failed', '--memory', '64MiB', '-o', 'name');
    assert.equal(retried.code, 0, retried.stderr);
    const next = retried.stdout.trim();
    const plain = (await run('job', 'retry', job)).stdout;
    assert.match(plain, /^\w{26}\n$/, 'the id alone, as submit prints it');
    await run('job', 'wait', plain.trim());
    assert.equal((await run('job', 'wait', next)).code, 0);
    const tasks = JSON.parse((await run('task', 'list', next, '-o', 'json')).stdout) as { index: number }[];
    assert.deepEqual(
      tasks.map(({ index }) => index),
      [2, 3],
    );
  });
  test('every output format of ps; json is one document, jsonl a line each, name the bare ids', async () => {
    const job = await submitted('apiVersion: clobi/v1\nname: shapes\ncommand: ["true"]\n');
    await run('job', 'wait', job);
    const list = JSON.parse((await run('ps', '-o', 'json')).stdout) as { id: string }[];
    assert.ok(list.some(({ id }) => id === job));
    const lines = (await run('ps', '-o', 'jsonl')).stdout.trim().split('\n');
    assert.equal(lines.length, list.length);
    assert.ok((await run('ps', '-o', 'name')).stdout.split('\n').includes(job));
    assert.match((await run('ps', '-o', 'yaml')).stdout, /name: shapes/);
    assert.match((await run('ps')).stdout, /shapes/);
  });
  test('an id may be shortened, or be `last`', async () => {
    const job = await submitted('apiVersion: clobi/v1\nname: newest\ncommand: ["true"]\n');
    for (const id of ['last', job.slice(0, 24)]) {
      assert.equal(
        (JSON.parse((await run('job', 'show', id, '-o', 'json')).stdout) as { id: string }).id,
        job,
      );
    }
    const after = await submitted(
      `apiVersion: clobi/v1\nname: after\ndepends: [${job.slice(0, 24).toLowerCase()}]\ncommand: ["true"]\n`,
    );
    const { depends } = JSON.parse((await run('job', 'show', after, '--spec', '-o', 'json')).stdout) as {
      depends: { job: string }[];
    };
    assert.equal(depends[0]?.job, job, 'also in depends');
  });
});
