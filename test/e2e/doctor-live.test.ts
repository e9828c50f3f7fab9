import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { clobi, Process } from '../helpers/process.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { waitFor } from '../helpers/wait.ts';

/** Names of probes left below the home directory. */
async function leftovers(home: string): Promise<string[]> {
  const all = await readdir(home, { recursive: true });
  return all.filter((name) => name.includes('-probe-'));
}

test('doctor --live tries a pool out and leaves nothing behind', async () => {
  await using home = await temporaryDirectory();
  const { code, stdout, stderr } = await clobi([
    'doctor',
    '--live',
    'local',
    '--home',
    home.path,
    '-o',
    'json',
  ]);
  assert.equal(code, 0, stdout + stderr);
  const findings = JSON.parse(stdout) as { check: string; status: string }[];
  assert.ok(findings.length > 20);
  assert.ok(findings.every(({ status }) => status === 'ok'));
  assert.ok(findings.some(({ check }) => check.startsWith('queue ')));
  assert.ok(findings.some(({ check }) => check.startsWith('store ')));
  assert.match(stderr, /named clobi-probe-/);
  assert.deepEqual(await leftovers(home.path), []);
  assert.ok((await readdir(join(home.path, 'queues'))).length === 0);
});

test('Ctrl-C in the middle of a probe also leaves nothing behind', async () => {
  await using home = await temporaryDirectory();
  const doctor = new Process(['doctor', '--live', 'local', '--home', home.path]);
  await waitFor(
    'a probe has made its queue',
    async () => (await leftovers(home.path).catch(() => [])).length > 0,
  );
  doctor.signal('SIGINT');
  const { code } = await doctor.exited;
  assert.equal(code, 130, doctor.output);
  assert.match(doctor.output, /Interrupted; what had been made was removed again/);
  assert.deepEqual(await leftovers(home.path), []);
});

test('a pool that is not there is named with what is near', async () => {
  await using home = await temporaryDirectory();
  const { code, stderr } = await clobi(['doctor', '--live', 'locla', '--home', home.path]);
  assert.equal(code, 3);
  assert.match(stderr, /no pool "locla" in clobi.yaml; did you mean "local"/);
});

test('pools without a cloud need nothing, and a wrong file ends with 2 and every problem', async () => {
  await using home = await temporaryDirectory();
  for (const command of ['check', 'ensure'])
    assert.equal((await clobi(['pool', command, '--home', home.path])).code, 0);
  await writeFile(join(home.path, 'clobi.yaml'), 'pools:\n  aws:\n    queue: sqs\n    regoin: x\n');
  const { code, stderr, stdout } = await clobi(['pool', 'check', '--home', home.path]);
  assert.equal(code, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /clobi\.yaml:3:12 .*an SQS queue is in a region/);
  assert.match(stderr, /clobi\.yaml:4:5 unknown key "regoin" in pools\.aws; did you mean "region"/);
});
