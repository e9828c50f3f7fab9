import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { pause } from '../../shared/clock.ts';

/** The processes of a slot's tasks, as the machine numbers them. */
export interface Tree {
  members(): number[];
}

function processIds(): number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

/** Everything in the PID namespace of `init`, but not `init` itself. */
export function namespaceTree(init: number): Tree {
  const namespace = namespaceOf(init);
  return {
    members: () =>
      namespace === undefined
        ? []
        : processIds().filter((pid) => pid !== init && namespaceOf(pid) === namespace),
  };
}

function holdsMarker(pid: number, marker: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(marker);
  } catch {
    return false;
  }
}

/** What tells a slot's processes from others where there is no namespace: each has its work directory in its environment. */
export const markerOf = (directory: string): string => `CLOBI_WORK_DIR=${directory}/`;

/**
 * Everything whose environment holds the marker, but not `helper`. A process once seen without it is not looked at
 * again while it lives: an environment as /proc shows it changes only at `exec`, and only tasks become tasks. What the
 * helper has forked and has not become its task yet is looked at again.
 */
export function markedTree(marker: string, helper?: number): Tree {
  let foreign = new Set<number>();
  return {
    members: () => {
      const seen = processIds();
      const members = seen.filter(
        (pid) => pid !== helper && pid !== process.pid && !foreign.has(pid) && holdsMarker(pid, marker),
      );
      const ours = new Set(members);
      const isForeign = (pid: number): boolean =>
        !ours.has(pid) && (foreign.has(pid) || helper === undefined || !descends(pid, helper));
      foreign = new Set(seen.filter(isForeign));
      return members;
    },
  };
}

function descends(pid: number, from: number): boolean {
  for (let parent = parentOf(pid); parent > 1; parent = parentOf(parent)) if (parent === from) return true;
  return false;
}

/** Sends the signal; a process that is gone is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

const CHECK_EVERY_MS = 10;

/** Kills until nobody is left; false when somebody outlives the deadline. */
export async function killTree(tree: Tree, deadlineMs = 10_000): Promise<boolean> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const members = tree.members();
    if (members.length === 0) return true;
    for (const pid of members) signalProcess(pid, 'SIGKILL');
    if (Date.now() > end) return false;
    await pause(CHECK_EVERY_MS);
  }
}

/** The first child of a process; undefined when it has none or the kernel does not tell. */
export function childOf(pid: number): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ');
    return first === undefined || first === '' ? undefined : Number(first);
  } catch {
    return childByScan(pid);
  }
}

const childByScan = (parent: number): number | undefined =>
  processIds().find((pid) => parentOf(pid) === parent);

/** 0 when it is gone. */
const parentOf = (pid: number): number => Number(statFields(pid)[1] ?? 0);

/** Fields of /proc/<pid>/stat from the state on (field 3 of proc(5) is number 0 here). */
function statFields(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

const MS_PER_TICK = 10;

/** Cpu time of all children that a process has waited for, in ms; null when unknown. */
export function childrenCpuMs(pid: number): number | null {
  const fields = statFields(pid);
  const ticks = Number(fields[13]) + Number(fields[14]);
  return Number.isNaN(ticks) ? null : ticks * MS_PER_TICK;
}

/** Resident memory of one process in bytes. */
export function residentBytes(pid: number): number {
  try {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
