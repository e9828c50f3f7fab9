/**
 * Tasks per second of 10,000 × /bin/true at 2 slots through the whole program (submit → units → agent → segments →
 * commit → verdicts), as a ratio to three baselines of the same run: (a) a bare Node spawn loop at the same
 * concurrency, (b) `xargs -P2`, (c) GNU parallel with a job log. `node bench/throughput.ts [TASKS] [ROUNDS]`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Cluster } from '../test/helpers/cluster.ts';
import { waitFor } from '../test/helpers/wait.ts';
import { median, report } from './report.ts';

const TASKS = Number(process.argv[2] ?? '10000');
const ROUNDS = Number(process.argv[3] ?? '3');
const SLOTS = 2;

const perSecond = async (work: () => Promise<void> | void): Promise<number> => {
  const start = performance.now();
  await work();
  return (TASKS * 1000) / (performance.now() - start);
};

async function throughClobi(): Promise<number> {
  await using cluster = await Cluster.create({});
  await cluster.startCoordinator();
  cluster.startAgent('bench', { slots: SLOTS });
  await waitFor(
    'the agent is there',
    async () => (await cluster.get<{ agents: unknown[] }>('/v1/agents')).agents.length === 1,
  );
  const rate = await perSecond(async () => {
    const job = await cluster.submit({ command: ['/bin/true'], tasks: { kind: 'count', count: TASKS } });
    await cluster.get(`/v1/jobs/${job}/wait?timeoutMs=600000`, 600_000);
    const view = await cluster.job(job);
    if (view.counts.succeeded !== TASKS) throw new Error(`not all succeeded: ${JSON.stringify(view.counts)}`);
  });
  return rate;
}

/**
 * What a program of ten lines would do: no record, no retry, no queue. In a small process of its own, because a fork costs
 * the more the larger its parent is.
 */
const SPAWN_LOOP = `
  const { spawn } = require('node:child_process');
  let left = ${TASKS};
  const next = () => { if (left-- > 0) spawn('/bin/true', { stdio: 'ignore' }).once('exit', next); };
  for (let lane = 0; lane < ${SLOTS}; lane += 1) next();
`;

function bareSpawnLoop(): void {
  spawnSync(process.execPath, ['-e', SPAWN_LOOP], { stdio: 'ignore' });
}

const numbers = Array.from({ length: TASKS }, (_, i) => String(i)).join('\n');

function xargs(): void {
  spawnSync('xargs', ['-P', String(SLOTS), '-n', '1', '/bin/true'], {
    input: numbers,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
}

function gnuParallel(): void {
  const directory = mkdtempSync(join(tmpdir(), 'clobi-bench-'));
  const args = ['-j', String(SLOTS), '--joblog', join(directory, 'log'), '/bin/true', '{}'];
  spawnSync('parallel', args, {
    input: numbers,
    env: { ...process.env, HOME: directory },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  rmSync(directory, { recursive: true });
}

const hasParallel = spawnSync('parallel', ['--version']).status === 0;
const rates: Record<string, number[]> = {
  clobi: [],
  'bare Node spawn loop': [],
  'xargs -P2': [],
  'GNU parallel --joblog': [],
};
for (let round = 0; round < ROUNDS; round += 1) {
  rates['bare Node spawn loop']?.push(await perSecond(bareSpawnLoop));
  rates['clobi']?.push(await throughClobi());
  rates['xargs -P2']?.push(await perSecond(xargs));
  if (hasParallel) rates['GNU parallel --joblog']?.push(await perSecond(gnuParallel));
}
const ours = median(rates['clobi'] ?? []);
report(
  `throughput: ${String(TASKS)} × /bin/true, ${String(SLOTS)} slots, median of ${String(ROUNDS)} rounds`,
  Object.entries(rates).map(([name, of]) => ({
    name,
    value: of.length === 0 ? 'not installed' : `${median(of).toFixed(0)} tasks/s`,
    ratio: of.length === 0 ? '' : `clobi is ${(ours / median(of)).toFixed(2)} ×`,
  })),
);
