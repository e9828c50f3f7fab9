import assert from 'node:assert/strict';
import { execFile, type ExecFileException, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Cluster } from '../../helpers/cluster.ts';
import { waitFor } from '../../helpers/wait.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..', '..');
/** Nothing of ours: as on a machine that has Node and this one file. */
const BARE = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' };

let built = '';
let alone = '';
before(async () => {
  built = await mkdtemp(join(tmpdir(), 'clobi-bundle-'));
  alone = await mkdtemp(join(tmpdir(), 'clobi-alone-'));
  await run(process.execPath, [join(root, 'infra', 'bundle.ts'), join(built, 'clobi-agent.mjs')], {
    cwd: root,
  });
  await copyFile(join(built, 'clobi-agent.mjs'), join(alone, 'clobi-agent.mjs'));
});
after(async () => {
  await Promise.all([built, alone].map((directory) => rm(directory, { recursive: true, force: true })));
});

const agentOptions = () => ({ cwd: alone, env: BARE });

/** Runs the file alone to its end. */
async function agent(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const said = await run(process.execPath, ['clobi-agent.mjs', ...args], agentOptions());
    return { code: 0, ...said };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as ExecFileException;
    return { code: Number(code), stdout, stderr };
  }
}

test('the bundle is one file, and may be started as a program', async () => {
  assert.deepEqual(await readdir(built), ['clobi-agent.mjs']);
  const { mode } = await stat(join(built, 'clobi-agent.mjs'));
  assert.equal(mode & 0o755, 0o755);
  assert.ok((await readFile(join(built, 'clobi-agent.mjs'), 'utf8')).startsWith('#!/usr/bin/env node\n'));
});

test('it starts where no packages can be reached', async () => {
  for (let at = alone; at !== dirname(at); at = dirname(at))
    assert.ok(!existsSync(join(at, 'node_modules')), at);
  const help = await agent('--help');
  assert.deepEqual([help.code, help.stderr], [0, '']);
  assert.match(help.stdout, /^Usage: clobi-agent --pool NAME/);
});

test('it tells what is wrong with its options', async () => {
  const missing = await agent();
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /--pool is missing/);
  const slots = await agent('--pool', 'local', '--slots', 'many');
  assert.equal(slots.code, 2);
  assert.match(slots.stderr, /--slots "many" is no number/);
  const unknown = await agent('--pool', 'nowhere', '--home', alone);
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr, /Pool "nowhere" is not known here/);
});

test('it serves: runs the tasks of a real coordinator, says its version, drains on SIGTERM', async () => {
  await using cluster = await Cluster.create();
  await cluster.startCoordinator();
  const args = ['--pool', 'local', '--home', cluster.home, '--name', 'alone', '--slots', '2'];
  const child = spawn(process.execPath, ['clobi-agent.mjs', ...args], {
    ...agentOptions(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
  try {
    const job = await cluster.submit({
      command: ['sh', '-c', 'test "$CLOBI_TASK_COUNT" = 5 && echo done'],
      tasks: { kind: 'count', count: 5 },
    });
    const { counts } = await cluster.over(job);
    assert.equal(counts.succeeded, 5, said);
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    await waitFor('the agent is listed with its version', async () => {
      const fleet = JSON.stringify(await cluster.call('GET', '/v1/agents'));
      return fleet.includes('"alone"') && fleet.includes(`"${version}"`);
    });
    child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null], said);
  } finally {
    child.kill('SIGKILL');
  }
});
