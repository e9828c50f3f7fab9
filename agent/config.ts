import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { type AgentConfig, agentConfigSchema } from '../shared/agent-config.ts';
import { ClobiError, messageOf } from '../shared/errors.ts';
import { agentConfigFile, homeDirectory } from '../shared/paths.ts';
import type { Capacity } from '../shared/wire/event.ts';

/** What may be said of an agent on the command line; everything else is in its pool's `agent.json`. */
export interface AgentOptions {
  /** Directory of all state on this machine; default as in `homeDirectory`. */
  home?: string;
  pool: string;
  /** Default: `<hostname>-<n>` with the first n that no living agent of this home has. */
  name?: string;
  /** Most tasks at a time; default: one a cpu. */
  slots?: number;
  /** Cpus to share out; default: what the machine has, at least one a slot. */
  cpus?: number;
  /** Memory to share out; default: what the machine (or its container) has. */
  memoryBytes?: number;
  gpus?: number;
  /** Disk to share out; default: what is free in the home directory at the start. */
  diskBytes?: number;
  /** Added to those of the pool. */
  labels?: Record<string, string>;
  /** In place of `pools/<pool>/agent.json` in the home directory. */
  configFile?: string;
}

/** Everything an agent needs to know before it starts. */
export interface AgentSettings {
  readonly home: string;
  readonly pool: string;
  readonly name: string | undefined;
  readonly capacity: Readonly<Capacity>;
  readonly labels: Readonly<Record<string, string>>;
  readonly config: Readonly<AgentConfig>;
}

/** Names become parts of object keys and paths. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Rejects with `INVALID_CONFIG` or `NOT_FOUND`, naming the option or file, its value and its bounds. */
export async function loadSettings(options: AgentOptions): Promise<AgentSettings> {
  checkName('pool', options.pool);
  if (options.name !== undefined) checkName('name', options.name);
  const home = homeDirectory(options.home);
  const file =
    options.configFile === undefined ? agentConfigFile(home, options.pool) : resolve(options.configFile);
  const config = parseConfig(await readConfig(file, options.pool), file);
  if (config.pool !== options.pool)
    throw invalid(
      `${file} is of pool "${config.pool}", but --pool is "${options.pool}". Give the file of the same pool.`,
    );
  return Object.freeze({
    home,
    pool: options.pool,
    name: options.name,
    capacity: { ...capacityOf(options), ...(await diskOf(options, home)) },
    labels: { ...config.labels, ...options.labels },
    config,
  });
}

const invalid = (message: string, cause?: unknown): ClobiError =>
  new ClobiError('INVALID_CONFIG', message, { cause });

function checkName(option: string, value: string): void {
  if (!NAME.test(value))
    throw invalid(
      `--${option} "${value}" is no name: it takes 1 to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit.`,
    );
}

async function readConfig(file: string, pool: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const advice =
      'The coordinator of this home writes it when it starts: start that first, with the pool in its clobi.yaml. On another machine, bring the file along and give --config.';
    throw new ClobiError('NOT_FOUND', `Pool "${pool}" is not known here: ${file} cannot be read. ${advice}`, {
      cause: error,
    });
  }
}

function parseConfig(text: string, file: string): AgentConfig {
  try {
    return agentConfigSchema.parse(JSON.parse(text));
  } catch (error) {
    throw invalid(`${file} is no agent configuration: ${messageOf(error)}`, error);
  }
}

/** What the machine gives to tasks, by options and otherwise by what it has. */
export function capacityOf(options: Pick<AgentOptions, 'slots' | 'cpus' | 'memoryBytes' | 'gpus'>): Capacity {
  const machineCpus = availableParallelism();
  const { slots = Math.max(1, Math.floor(options.cpus ?? machineCpus)), gpus = 0 } = options;
  const cpus = options.cpus ?? Math.max(machineCpus, slots);
  const memoryBytes = options.memoryBytes ?? machineMemoryBytes();
  checkNumber(
    'slots',
    slots,
    Number.isInteger(slots) && slots >= 1 && slots <= 4096,
    'a whole number from 1 to 4096',
  );
  checkNumber('cpus', cpus, cpus >= 0.001 && cpus <= 4096, 'a number from 0.001 to 4096');
  checkNumber(
    'memory',
    memoryBytes,
    Number.isSafeInteger(memoryBytes) && memoryBytes >= 1,
    'at least 1 byte',
  );
  checkNumber(
    'gpus',
    gpus,
    Number.isInteger(gpus) && gpus >= 0 && gpus <= 4096,
    'a whole number from 0 to 4096',
  );
  return { slots, cpus, memoryBytes, gpus };
}

function checkNumber(option: string, value: number, good: boolean, bounds: string): void {
  if (!good) throw invalid(`--${option} is ${value}; it must be ${bounds}.`);
}

/** Empty when the file system does not tell. */
async function diskOf({ diskBytes }: AgentOptions, home: string): Promise<Pick<Capacity, 'diskBytes'>> {
  if (diskBytes !== undefined) return { diskBytes };
  const free = await statfs(home).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  );
  return free === undefined ? {} : { diskBytes: roundDown(free) };
}

/** To one of eight steps between powers of two, so that machines of one kind look alike to placement. */
function roundDown(bytes: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, bytes))) - 3);
  return Math.floor(bytes / step) * step;
}

/** A container's limit counts where there is one. */
function machineMemoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}
