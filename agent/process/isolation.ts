import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findMemoryGroups, type MemoryGroups } from './memory-group.ts';

/** What keeps tasks apart and bounded on this machine. */
export interface Isolation {
  /** `pid-namespace+cgroup`, `pid-namespace`, `process-group+cgroup` or `process-group`; goes into `hello`. */
  readonly level: string;
  readonly hasNamespace: boolean;
  /** Words before the shell's own. */
  readonly launcher: readonly string[];
  readonly memoryGroups: MemoryGroups | undefined;
}

const run = promisify(execFile);

const INTO_NAMESPACE = [
  'setpriv',
  '--pdeathsig',
  'KILL',
  'unshare',
  '--pid',
  '--fork',
  '--mount-proc',
  '--kill-child',
  '--',
];

/**
 * A PID namespace per slot: its tasks cannot escape it, and all die with the agent in whatever way that dies. The order in the
 * second form matters: entering a user namespace clears the death signal, so it is set after that.
 */
const LAUNCHERS: readonly (readonly string[])[] = [
  INTO_NAMESPACE,
  [
    'unshare',
    '--user',
    '--map-current-user',
    '--keep-caps',
    '--',
    ...INTO_NAMESPACE,
    'setpriv',
    '--ambient-caps',
    '-all',
    '--',
  ],
];

/** Tries what this machine allows. Once per agent: it starts a few processes. */
export async function probeIsolation(): Promise<Isolation> {
  const launcher = await firstWorking(LAUNCHERS);
  const memoryGroups = findMemoryGroups();
  const hasNamespace = launcher !== undefined;
  const level =
    (hasNamespace ? 'pid-namespace' : 'process-group') + (memoryGroups === undefined ? '' : '+cgroup');
  return { level, hasNamespace, launcher: launcher ?? [], memoryGroups };
}

/** What every machine can do; for tests of the weaker level too. */
export const PROCESS_GROUP: Isolation = {
  level: 'process-group',
  hasNamespace: false,
  launcher: [],
  memoryGroups: undefined,
};

async function firstWorking(launchers: typeof LAUNCHERS): Promise<readonly string[] | undefined> {
  for (const launcher of launchers) if (await works(launcher)) return launcher;
  return undefined;
}

async function works([program = '', ...words]: readonly string[]): Promise<boolean> {
  try {
    const { stdout } = await run(program, [...words, 'sh', '-c', 'test -r /proc/self/stat && echo $$'], {
      timeout: 10_000,
    });
    return stdout.trim() === '1';
  } catch {
    return false;
  }
}
