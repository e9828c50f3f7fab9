import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TaskView } from '../../coordinator/http/api.ts';
import { Cluster } from '../helpers/cluster.ts';
import { clobi } from '../helpers/process.ts';

/** What tasks print and leave behind, from their own process to the files and bytes that the user gets. */
let cluster: Cluster;
before(async () => {
  cluster = await Cluster.create();
  await cluster.startCoordinator();
  cluster.startAgent('a');
});
after(async () => cluster[Symbol.asyncDispose]());

const shell = (script: string): string[] => ['sh', '-c', script];

async function failure(script: string, outputs: { glob: string; required?: boolean }[]): Promise<TaskView> {
  const job = await cluster.submit({ command: shell(script), outputs });
  assert.equal((await cluster.over(job)).state, 'failed');
  return cluster.task(job, 0);
}

describe('outputs that are refused fail the task with a clear message', () => {
  test('a required output is missing', async () => {
    const task = await failure('true', [{ glob: 'result-*.txt', required: true }]);
    assert.equal(task.reason, 'output');
    assert.match(task.message ?? '', /result-\*\.txt/);
  });
  test('a link leads out of the work directory', async () => {
    const task = await failure('ln -s /etc/passwd outputs/secret', [{ glob: 'outputs/*' }]);
    assert.equal(task.reason, 'output');
    assert.match(task.message ?? '', /secret/);
  });
  test('a linked directory leads out of the work directory', async () => {
    const task = await failure('ln -s /etc/apt outputs/apt', [{ glob: 'outputs/**' }]);
    assert.equal(task.reason, 'output');
  });
  for (const glob of ['/etc/passwd', '../*']) {
    test(`the glob ${glob} names what is not the task’s`, async () => {
      const task = await failure('true', [{ glob }]);
      assert.equal(task.reason, 'output');
    });
  }
});

test('10,000 small files come back, each as it was', async () => {
  const job = await cluster.submit({
    command: shell('i=0; while [ $i -lt 10000 ]; do echo $i > outputs/$i; i=$((i+1)); done'),
    outputs: [{ glob: 'outputs/*', when: 'success' }],
  });
  assert.equal((await cluster.over(job)).state, 'succeeded');
  const directory = await mkdtemp(join(tmpdir(), 'clobi-outputs-'));
  const result = await clobi(['job', 'outputs', job, '--to', directory, '--home', cluster.home]);
  assert.equal(result.code, 0, result.stderr);
  assert.equal((await readdir(join(directory, '0', 'outputs'))).length, 10_000);
  assert.equal(await readFile(join(directory, '0', 'outputs', '9999'), 'utf8'), '9999\n');

  // A second time brings only what is not there, and mends what differs.
  await rm(join(directory, '0', 'outputs', '17'));
  const kept = await stat(join(directory, '0', 'outputs', '18'));
  assert.equal((await clobi(['job', 'outputs', job, '--to', directory, '--home', cluster.home])).code, 0);
  assert.equal(await readFile(join(directory, '0', 'outputs', '17'), 'utf8'), '17\n');
  assert.equal((await stat(join(directory, '0', 'outputs', '18'))).mtimeMs, kept.mtimeMs);
  await rm(directory, { recursive: true });
  await cluster.observe(job);
  assert.deepEqual(await cluster.violations(), []);
});

test('200 MB of stdout arrive whole, and the agent’s memory stays bounded', async () => {
  const job = await cluster.submit({ command: shell('yes 0123456789abcdef | head -c 200000000; echo END') });
  assert.equal((await cluster.over(job)).state, 'succeeded');
  const agent = cluster.agents.get('a');
  const status = await readFile(`/proc/${String(agent?.child.pid)}/status`, 'utf8');
  const peakMiB = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
  assert.ok(peakMiB < 512, `the agent needed ${peakMiB.toFixed(0)} MiB`);
  const endpoint = await cluster.endpoint();
  const token = (await readFile(join(cluster.home, 'coordinator', 'token'), 'utf8')).trim();
  const response = await fetch(`${endpoint?.url ?? ''}/v1/jobs/${job}/tasks/0/logs/stdout`, {
    headers: { authorization: `Bearer ${token}` },
  });
  let bytes = 0;
  let end = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    end = (end + Buffer.from(chunk).toString('latin1')).slice(-4);
  }
  assert.equal(bytes, 200_000_004);
  assert.equal(end, 'END\n');
});

test('stdout and stderr of every task, each line behind its task', async () => {
  const job = await cluster.submit({
    command: shell('echo "out $CLOBI_TASK_INDEX"; echo "err $CLOBI_TASK_INDEX" >&2'),
    tasks: { kind: 'count', count: 3 },
  });
  await cluster.over(job);
  const { code, stdout } = await clobi(['job', 'logs', job, '--home', cluster.home]);
  assert.equal(code, 0);
  for (const index of [0, 1, 2]) {
    assert.match(stdout, new RegExp(`^${String(index)}\\| out ${String(index)}$`, 'm'));
    assert.match(stdout, new RegExp(`^${String(index)}\\| err ${String(index)}$`, 'm'));
  }
});
