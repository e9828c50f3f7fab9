import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import type { z } from 'zod';
import { type Isolation, probeIsolation } from '../../../agent/process/isolation.ts';
import { startSlot } from '../../../agent/slot.ts';
import { InputCache } from '../../../agent/steps/input-cache.ts';
import type { AgentIdentity, Slot, TaskToRun } from '../../../agent/types.ts';
import {
  type AgentId,
  attemptId,
  type BootId,
  newJobId,
  newRunId,
  newUnitId,
  type PoolName,
} from '../../../shared/ids.ts';
import { jobSpecSchema, type TaskParams } from '../../../shared/job-spec.ts';
import { openStore } from '../../../shared/providers/open.ts';
import type { ObjectStore } from '../../../shared/providers/ports.ts';
import type { LogRef, Outcome } from '../../../shared/wire/event.ts';
import { inputKey, logKey } from '../../../shared/wire/keys.ts';

export const identity: AgentIdentity = {
  pool: 'local',
  agent: 'agent-1' as AgentId,
  boot: 'boot-1' as BootId,
};

export const program = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/programs/${name}`, import.meta.url));

type SpecInput = z.input<typeof jobSpecSchema>;

/** A task of one job, complete from the few fields a test cares for. */
export function taskOf(fields: Partial<SpecInput>, params?: TaskParams): TaskToRun {
  const spec = jobSpecSchema.parse({
    v: 1,
    name: 'test',
    owner: 'tester',
    command: null,
    script: null,
    tasks: { kind: 'count', count: 1 },
    resources: {},
    timeout: {},
    retry: { backoff: { initialMs: 1, factor: 1, maxMs: 1 } },
    placement: {},
    retention: {},
    ...fields,
  });
  const attempt = attemptId(1, 1);
  const task = { index: 7, attempt, ...(params && { params }) };
  const unit = {
    v: 1,
    ns: 'test',
    pool: 'local' as PoolName,
    unit: newUnitId(1),
    job: newJobId(),
    taskCount: 9,
    spec: { inline: spec },
    tasks: [task],
    issuedAt: 0,
    notAfter: 0,
  };
  return { unit, spec, task, run: newRunId(attempt) };
}

/** A slot on a directory of its own. */
export class SlotRig {
  readonly directory: string;
  readonly store: ObjectStore;
  readonly slot: Slot;

  private constructor(directory: string, store: ObjectStore, slot: Slot) {
    this.directory = directory;
    this.store = store;
    this.slot = slot;
  }

  static async start(
    options: { isolation?: Isolation; wrap?: (store: ObjectStore) => ObjectStore } = {},
  ): Promise<SlotRig> {
    const directory = await realpath(await mkdtemp(join(tmpdir(), 'clobi-slot-')));
    const plain = await openStore(`file:${join(directory, 'store')}`);
    const store = options.wrap?.(plain) ?? plain;
    const slot = await startSlot({
      directory: join(directory, 'slots', '1'),
      number: 1,
      identity,
      store,
      cache: await InputCache.open({ directory: join(directory, 'cache'), store }),
      log: pino({ level: 'silent' }),
      isolation: options.isolation ?? (await probeIsolation()),
    });
    return new SlotRig(directory, store, slot);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.slot.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  run(fields: Partial<SpecInput>, params?: TaskParams): Promise<Outcome> {
    return this.slot.run(taskOf(fields, params));
  }

  /** Runs a script of /bin/sh. */
  sh(script: string, fields: Partial<SpecInput> = {}): Promise<Outcome> {
    return this.run({ command: ['sh', '-c', script], ...fields });
  }

  /** The slot's work directory while a task runs in it. */
  async workDirectory(): Promise<string> {
    const slot = join(this.directory, 'slots', '1');
    const names = (await readdir(slot)).filter((name) => name.startsWith('work-'));
    return join(slot, names.at(-1) ?? '');
  }

  /** Stores an input and returns its description. */
  async input(
    to: string,
    content: string | Uint8Array,
    more: { executable?: boolean; unpack?: boolean } = {},
  ) {
    const sha256 = createHash('sha256').update(content).digest('hex');
    await this.store.put(inputKey(sha256), content);
    return { to, sha256, sizeBytes: Buffer.byteLength(content), ...more };
  }

  async read(key: string): Promise<Buffer> {
    const object = await this.store.get(key);
    const parts: Buffer[] = [];
    for await (const part of object?.body ?? []) parts.push(part as Buffer);
    return Buffer.concat(parts);
  }

  /** A whole stream of a run, from its chunks. */
  async log(outcome: Outcome, stream: 'stdout' | 'stderr'): Promise<Buffer> {
    const ref: LogRef = outcome[stream];
    if (ref.inline !== undefined) return Buffer.from(ref.inline);
    const numbers = Array.from({ length: ref.chunks ?? 0 }, (_, n) => n);
    return Buffer.concat(await Promise.all(numbers.map((n) => this.read(logKey(outcome, stream, n)))));
  }
}

/** Ids of living processes whose command line holds the text. A zombie is not alive. */
export async function processesWith(text: string): Promise<number[]> {
  const pids = (await readdir('/proc'))
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  const found: number[] = [];
  for (const pid of pids) {
    const line = await readFile(`/proc/${String(pid)}/cmdline`, 'utf8').catch(() => '');
    if (line.replaceAll('\0', ' ').includes(text)) found.push(pid);
  }
  return found;
}
