import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { pause } from '../../shared/clock.ts';

/** Where memory groups of slots can be made: below our own group, so that what bounds the agent bounds its tasks too. */
export interface MemoryGroups {
  version: 1 | 2;
  parent: string;
}

const FILES = {
  1: {
    limit: 'memory.limit_in_bytes',
    swap: 'memory.memsw.limit_in_bytes',
    none: '-1',
    kills: 'memory.oom_control',
    resident: 'total_rss',
  },
  2: { limit: 'memory.max', swap: 'memory.swap.max', none: 'max', kills: 'memory.events', resident: 'anon' },
} as const;

/** Every group that we make or remove has a name with this beginning. */
const NAME_START = 'clobi-';

/** Looks for a memory controller that we may use, and tries it; undefined when there is none. */
export function findMemoryGroups(): MemoryGroups | undefined {
  for (const groups of candidates()) {
    try {
      const group = MemoryGroup.create(groups);
      group.limit(64 * 1024 * 1024);
      group.removeNow();
      sweep(groups.parent);
      return groups;
    } catch {
      // Not writable here; the next candidate.
    }
  }
  return undefined;
}

/** Removes empty groups of processes that are gone: their agents were killed, and nobody came after them. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = /^clobi-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      rmdirSync(join(parent, name));
    } catch {
      // Not empty, so in use after all.
    }
  }
}

function candidates(): MemoryGroups[] {
  const found: MemoryGroups[] = [];
  for (const line of readLines('/proc/self/cgroup')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const ofMemory = controllers.split(',').includes('memory');
    if (!ofMemory && controllers !== '') continue;
    const mount = mountPoint(ofMemory ? 'cgroup' : 'cgroup2');
    if (mount === undefined) continue;
    const own = join(mount, path);
    if (ofMemory) found.push({ version: 1, parent: own });
    else
      for (const parent of [own, dirname(own)])
        if (delegatesMemory(parent)) found.push({ version: 2, parent });
  }
  return found;
}

/** Version 2 gives children a controller only where the parent hands it on. */
const delegatesMemory = (parent: string): boolean =>
  readLines(join(parent, 'cgroup.subtree_control')).join(' ').split(' ').includes('memory');

function mountPoint(type: 'cgroup' | 'cgroup2'): string | undefined {
  const mounts = readLines('/proc/self/mounts').map((line) => line.split(' '));
  return mounts.find(
    ([, , kind, options]) => kind === type && (type === 'cgroup2' || options?.split(',').includes('memory')),
  )?.[1];
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** The memory group of one slot. */
export class MemoryGroup {
  readonly path: string;
  readonly #files: (typeof FILES)[1 | 2];
  #limit: number | null = null;

  private constructor(path: string, version: 1 | 2) {
    this.path = path;
    this.#files = FILES[version];
  }

  static create(groups: MemoryGroups): MemoryGroup {
    const path = join(groups.parent, `${NAME_START}${process.pid}-${randomBytes(4).toString('hex')}`);
    mkdirSync(path);
    return new MemoryGroup(path, groups.version);
  }

  get processesFile(): string {
    return join(this.path, 'cgroup.procs');
  }

  /** Null: no limit. Without swap, where the kernel counts it: memory over the limit ends the task. */
  limit(bytes: number | null): void {
    if (bytes === this.#limit) return;
    const { limit, swap, none } = this.#files;
    const value = bytes === null ? none : String(bytes);
    if (swap === FILES[1].swap) this.#tryWrite(swap, none);
    writeFileSync(join(this.path, limit), value);
    this.#tryWrite(swap, swap === FILES[1].swap ? value : bytes === null ? none : '0');
    this.#limit = bytes;
  }

  /** How many processes the kernel has killed here for want of memory. */
  kills(): number {
    return this.#number(this.#files.kills, 'oom_kill');
  }

  residentBytes(): number {
    return this.#number('memory.stat', this.#files.resident);
  }

  removeNow(): void {
    rmdirSync(this.path);
  }

  #number(file: string, name: string): number {
    const line = readLines(join(this.path, file)).find((text) => text.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1) ?? 0);
  }

  #tryWrite(file: string, value: string): void {
    try {
      writeFileSync(join(this.path, file), value);
    } catch {
      // The machine does not count swap.
    }
  }
}

/** Removes a group made by `MemoryGroup.create`, as soon as its last process is gone. Anything else is left alone. */
export async function removeMemoryGroup(path: string, deadlineMs = 5_000): Promise<boolean> {
  if (!basename(path).startsWith(NAME_START)) return false;
  const end = Date.now() + deadlineMs;
  while (existsSync(path)) {
    try {
      rmdirSync(path);
    } catch {
      if (Date.now() > end) return false;
      await pause(20);
    }
  }
  return true;
}
