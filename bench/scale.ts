/**
 * Arrays of 1,000,000 tasks, by count and by items: time until acknowledged, the memory of the coordinator after each and while it
 * dispatches, and the time of `clobi ps` and `clobi job show` as a user waits for them. Baselines of the same run: a bare start of
 * Node, and the same command with an empty coordinator.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { Cluster, specOf } from '../test/helpers/cluster.ts';
import { clobi } from '../test/helpers/process.ts';
import { waitFor } from '../test/helpers/wait.ts';
import { median, report, type Row } from './report.ts';

const TASKS = 1_000_000;
const REPEATS = 7;

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};

async function medianOf(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < REPEATS; i += 1) times.push(await timed(work));
  return median(times);
}

const bareNode = (): Promise<unknown> => once(spawn(process.execPath, ['-e', '0']), 'exit');

await using cluster = await Cluster.create({});
const coordinator = await cluster.startCoordinator();

async function run(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await clobi(['--home', cluster.home, ...args]);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** `VmRSS` or, the most there ever was, `VmHWM`. */
function memoryMiB(pid: number | undefined, field: 'VmRSS' | 'VmHWM'): number {
  const text = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(text)?.[1]) / 1024;
}

const memory = (what: string): Row => ({
  name: `coordinator memory, ${what}`,
  value: `${memoryMiB(coordinator.child.pid, 'VmRSS').toFixed(0)} MiB`,
  ratio: 'asked for: ≤ 300 MiB',
});

const SHOWN = [['ps'], ['job', 'show', 'last']];

async function times(what: string, base: number, commands = SHOWN): Promise<Row[]> {
  const rows: Row[] = [];
  for (const args of commands) {
    const ms = await medianOf(() => run(...args));
    rows.push({
      name: `clobi ${args.join(' ')}, ${what}`,
      value: `${ms.toFixed(0)} ms`,
      ratio: `${(ms / base).toFixed(1)} × bare Node; asked for: ≤ 300 ms`,
    });
  }
  return rows;
}

const acknowledged = (what: string, ms: number): Row => ({
  name: `submit of ${what}, acknowledged`,
  value: `${ms.toFixed(0)} ms`,
  ratio: 'asked for: ≤ 5000 ms',
});

/** The job as lines: what the command line tool sends, without the cost of reading and checking a job file. */
async function submitItems(): Promise<void> {
  const tasks = { kind: 'items' as const, count: TASKS };
  const spec = specOf({ name: 'million-items', command: ['/bin/true', '${{ item }}'], tasks });
  const items = Array.from({ length: TASKS }, (_, i) => `{"item":"sample-${String(i)}"}\n`);
  await cluster.sendLines(`${JSON.stringify(spec)}\n${items.join('')}`);
}

const base = await medianOf(bareNode);
const rows: Row[] = [{ name: 'bare start of Node (baseline)', value: `${base.toFixed(0)} ms` }];
rows.push(memory('empty'), ...(await times('empty', base, [['ps']])));
const spec = specOf({ name: 'million', command: ['/bin/true'], tasks: { kind: 'count', count: TASKS } });
const countMs = await timed(() => cluster.call('POST', '/v1/jobs', { spec }));
rows.push(acknowledged('a count', countMs), memory('a count later'), ...(await times('a count', base)));
rows.push(acknowledged('a million items', await timed(submitItems)), memory('a million items later'));
rows.push(...(await times('a million items', base)));

cluster.startAgent('bench');
await waitFor(
  'tasks end',
  async () => {
    const { jobs } = await cluster.get<{ jobs: { counts: { succeeded: number } }[] }>('/v1/jobs');
    return jobs.some((job) => job.counts.succeeded > 1_000);
  },
  120_000,
);
rows.push(...(await times('while it dispatches', base)), memory('while it dispatches'));
rows.push({
  name: 'coordinator memory, the most so far',
  value: `${memoryMiB(coordinator.child.pid, 'VmHWM').toFixed(0)} MiB`,
});

const file = join(cluster.home, 'items.txt');
await writeFile(file, Array.from({ length: TASKS }, (_, i) => `sample-${String(i)}\n`).join(''));
const commandMs = await timed(() => run('submit', '--hold', '--each-line', file, '--', '/bin/true', '{}'));
rows.push({ name: 'clobi submit --each-line of a million lines', value: `${commandMs.toFixed(0)} ms` });
rows.push(memory('that later'));
report('scale: arrays of 1,000,000 tasks', rows);
