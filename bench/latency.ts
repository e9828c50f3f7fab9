/**
 * Submit to start on an idle system: from just before the HTTP request to the first instruction of the task (which writes
 * its own clock), p50 and p99. The baseline of the same run is a bare `spawn` of the same program. `node bench/latency.ts [N]`.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { Cluster } from '../test/helpers/cluster.ts';
import { waitFor } from '../test/helpers/wait.ts';
import { percentile, report } from './report.ts';

const SAMPLES = Number(process.argv[2] ?? '100');
/** `date` prints the time of its own start: what is measured includes the start of that program. */
const stamp = (file: string): string[] => ['sh', '-c', `date +%s%N > ${file}`];
const readStamp = (file: string): number => Number(readFileSync(file, 'utf8').trim()) / 1e6;
const now = (): number => performance.timeOrigin + performance.now();

await using cluster = await Cluster.create({});
await cluster.startCoordinator();
cluster.startAgent('bench', { slots: 1 });
await waitFor(
  'the agent is there',
  async () => (await cluster.get<{ agents: unknown[] }>('/v1/agents')).agents.length === 1,
);

const ours: number[] = [];
const bare: number[] = [];
for (let i = -5; i < SAMPLES; i += 1) {
  const file = join(cluster.home, `stamp-${String(i)}`);
  const start = now();
  const job = await cluster.submit({ command: stamp(file) });
  await cluster.get(`/v1/jobs/${job}/wait?timeoutMs=60000`);
  // The first few warm both processes up.
  if (i >= 0) ours.push(readStamp(file) - start);

  const spawned = now();
  const [program, ...args] = stamp(`${file}-bare`);
  await new Promise((resolve) => spawn(program ?? '', args, { stdio: 'ignore' }).once('exit', resolve));
  if (i >= 0) bare.push(readStamp(`${file}-bare`) - spawned);
}
const row = (name: string, values: readonly number[]) => ({
  name,
  value: `p50 ${percentile(values, 0.5).toFixed(1)} ms`,
  ratio: `p99 ${percentile(values, 0.99).toFixed(1)} ms`,
});
report(`latency: submit to start on an idle system, ${String(SAMPLES)} samples`, [
  row('clobi', ours),
  row('bare spawn', bare),
]);
