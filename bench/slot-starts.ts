/**
 * Tasks per second of two slots running /bin/true, against a bare `spawn` loop at the same concurrency in a small process of its own
 * (spawn gets slower the more memory its process holds). The two take turns, so that whatever else the machine does meets both.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pino from 'pino';
import { probeIsolation } from '../agent/process/isolation.ts';
import { startSlot } from '../agent/slot.ts';
import { InputCache } from '../agent/steps/input-cache.ts';
import type { Slot, TaskToRun } from '../agent/types.ts';
import {
  attemptId,
  type AgentId,
  type BootId,
  newJobId,
  newRunId,
  newUnitId,
  type PoolName,
} from '../shared/ids.ts';
import { jobSpecSchema } from '../shared/job-spec.ts';
import { openStore } from '../shared/providers/open.ts';

const { values } = parseArgs({
  options: {
    tasks: { type: 'string', default: '1500' },
    rounds: { type: 'string', default: '3' },
    slots: { type: 'string', default: '2' },
  },
});
const tasks = Number(values.tasks);
const concurrency = Number(values.slots);

const spec = jobSpecSchema.parse({
  v: 1,
  name: 'true',
  owner: 'bench',
  command: ['/bin/true'],
  script: null,
  tasks: { kind: 'count', count: tasks },
  resources: {},
  timeout: {},
  retry: { backoff: { initialMs: 1, factor: 1, maxMs: 1 } },
  placement: {},
  retention: {},
});
const unit: TaskToRun['unit'] = {
  v: 1,
  ns: 'bench',
  pool: 'local' as PoolName,
  unit: newUnitId(1),
  job: newJobId(),
  taskCount: tasks,
  spec: { inline: spec },
  tasks: [],
  issuedAt: 0,
  notAfter: 0,
};

async function runInSlot(slot: Slot, index: number): Promise<void> {
  const attempt = attemptId(1, 1);
  const outcome = await slot.run({ unit, spec, task: { index, attempt }, run: newRunId(attempt) });
  if (outcome.result !== 'succeeded') throw new Error(outcome.message ?? 'failed');
}

const SPAWN_LOOP = `
const { spawn } = require('node:child_process');
const start = performance.now();
let next = 0, running = 0;
const more = () => {
  while (running < ${concurrency} && next < ${tasks}) {
    next += 1; running += 1;
    spawn('/bin/true', { stdio: 'ignore' }).on('exit', () => { running -= 1; more(); });
  }
  if (running === 0) console.log(${tasks} / ((performance.now() - start) / 1000));
};
more();`;

const measureSpawnLoop = (): number =>
  Number(execFileSync(process.execPath, ['-e', SPAWN_LOOP], { encoding: 'utf8' }));

/** Tasks per second of workers that take tasks until none is left. */
async function measure(workers: readonly ((index: number) => Promise<void>)[]): Promise<number> {
  let next = 0;
  const start = performance.now();
  const work = async (run: (index: number) => Promise<void>): Promise<void> => {
    while (next < tasks) await run(next++);
  };
  await Promise.all(workers.map(work));
  return tasks / ((performance.now() - start) / 1000);
}

const median = (numbers: number[]): number =>
  numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

const directory = await mkdtemp(join(tmpdir(), 'clobi-bench-'));
try {
  const store = await openStore(`file:${join(directory, 'store')}`);
  const cache = await InputCache.open({ directory: join(directory, 'cache'), store });
  const isolation = await probeIsolation();
  const identity = { pool: 'local', agent: 'bench' as AgentId, boot: 'boot' as BootId };
  const log = pino({ level: 'warn' });
  const slots = await Promise.all(
    Array.from({ length: concurrency }, (_, number) =>
      startSlot({
        directory: join(directory, `slot-${number}`),
        number,
        identity,
        store,
        cache,
        log,
        isolation,
      }),
    ),
  );
  const ours: number[] = [];
  const bare: number[] = [];
  const cpuMicros: number[] = [];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const before = process.cpuUsage();
    ours.push(await measure(slots.map((slot) => (index) => runInSlot(slot, index))));
    const { user, system } = process.cpuUsage(before);
    cpuMicros.push((user + system) / tasks);
    bare.push(measureSpawnLoop());
  }
  await Promise.all(slots.map((slot) => slot.close()));
  const ratio = median(ours) / median(bare);
  process.stdout.write(
    `isolation ${isolation.level}\nslots ${Math.round(median(ours))} tasks/s\nspawn ${Math.round(median(bare))} tasks/s\nratio ${ratio.toFixed(2)}\nour own cpu ${Math.round(median(cpuMicros))} µs a task\n`,
  );
} finally {
  await rm(directory, { recursive: true, force: true });
}
