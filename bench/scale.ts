/**
 * A 1,000,000-task array: time until acknowledged, the coordinator's memory then, and the time of `clobi ps` and
 * `clobi job show` as a user waits for them. Baseline of the same run: the same commands with an empty coordinator.
 */
import { readFileSync } from 'node:fs';
import { Cluster, specOf } from '../test/helpers/cluster.ts';
import { clobi } from '../test/helpers/process.ts';
import { median, report } from './report.ts';

const TASKS = 1_000_000;
await using cluster = await Cluster.create({});
const coordinator = await cluster.startCoordinator();

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};
const rssMiB = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(coordinator.child.pid)}/status`, 'utf8'))?.[1]) /
  1024;
const command = async (...args: string[]): Promise<number> => {
  const times: number[] = [];
  for (let i = 0; i < 5; i += 1) {
    times.push(
      await timed(async () => {
        const { code, stderr } = await clobi([...args, '--home', cluster.home]);
        if (code !== 0) throw new Error(stderr);
      }),
    );
  }
  return median(times);
};

const emptyPs = await command('ps');
const spec = specOf({ name: 'million', command: ['/bin/true'], tasks: { kind: 'count', count: TASKS } });
const submitMs = await timed(() => cluster.call('POST', '/v1/jobs', { spec }));
const items = Array.from({ length: TASKS }, (_, i) => ({ item: `sample-${String(i)}` }));
const itemsSpec = specOf({
  name: 'million-items',
  command: ['echo', '${{ item }}'],
  tasks: { kind: 'items', count: TASKS },
});
const itemsMs = await timed(() => cluster.call('POST', '/v1/jobs', { spec: itemsSpec, items }));
cluster.startAgent('bench');
const ms = (value: number): string => `${value.toFixed(0)} ms`;
report('scale: arrays of 1,000,000 tasks', [
  { name: 'submit of a count, acknowledged', value: ms(submitMs), ratio: 'asked for: ≤ 5000 ms' },
  { name: 'submit of a million items, acknowledged', value: ms(itemsMs), ratio: 'asked for: ≤ 5000 ms' },
  { name: 'clobi ps, empty coordinator (baseline)', value: ms(emptyPs) },
  { name: 'clobi ps', value: ms(await command('ps')), ratio: 'asked for: ≤ 300 ms' },
  {
    name: 'clobi job show last',
    value: ms(await command('job', 'show', 'last')),
    ratio: 'asked for: ≤ 300 ms',
  },
  {
    name: 'coordinator memory, while it dispatches',
    value: `${rssMiB().toFixed(0)} MiB`,
    ratio: 'asked for: ≤ 300 MiB',
  },
]);
