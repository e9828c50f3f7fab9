import { constants } from 'node:fs';
import { access, readFile, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from '../../shared/errors.ts';
import { coordinatorDirectory } from '../../shared/paths.ts';
import { formatBytes, formatDuration } from '../../shared/units-of-measure.ts';
import type { AgentView, StatusView } from '../http/api.ts';
import type { Client } from './client.ts';
import { examinePools } from './doctor-pools.ts';
import { plural } from './output/text.ts';

/** One thing that was looked at. `warning`: it works, but not well. The fix is empty when nothing is to be done. */
export interface Finding {
  check: string;
  status: 'ok' | 'warning' | 'failed';
  found: string;
  fix: string;
}

const LEAST_FREE_BYTES = 1024 ** 3;
const LEAST_OPEN_FILES = 4096;
const LARGEST_SKEW_MS = 5000;

type Result = Omit<Finding, 'check'>;
const ok = (found: string): Result => ({ status: 'ok', found, fix: '' });
const warning = (found: string, fix: string): Result => ({ status: 'warning', found, fix });
const failed = (found: string, fix: string): Result => ({ status: 'failed', found, fix });

export interface DoctorContext {
  home: string;
  client: Client;
  version: string;
}

/** All checks, in the order in which one would mend things. A check that throws is a failed one. */
export async function examine(context: DoctorContext): Promise<Finding[]> {
  const checks: readonly (readonly [string, () => Promise<Result> | Result])[] = [
    ['node', () => ok(process.versions.node)],
    ['home directory', () => checkHome(context.home)],
    ['who may read it', () => checkPermissions(context.home)],
    ['free disk', () => checkDisk(context.home)],
    ['open files', checkOpenFiles],
    ['isolation of tasks', checkIsolation],
    ['coordinator', () => checkCoordinator(context)],
    ['clocks', () => checkClock(context.client)],
    ['agents', () => checkAgents(context.client)],
  ];
  const findings: Finding[] = [];
  for (const [check, look] of checks) {
    try {
      findings.push({ check, ...(await look()) });
    } catch (error) {
      findings.push({ check, ...failed(messageOf(error), 'see what is found') });
    }
  }
  return [...findings, ...(await examinePools(context.home))];
}

/** The directory, or the nearest above it that exists. */
async function nearest(directory: string): Promise<string> {
  for (let at = directory; ; at = dirname(at)) {
    const exists = await access(at).then(
      () => true,
      () => false,
    );
    if (exists || dirname(at) === at) return at;
  }
}

async function checkHome(home: string): Promise<Result> {
  const existing = await nearest(home);
  try {
    await access(existing, constants.W_OK | constants.X_OK);
    return ok(existing === home ? home : `${home} (made at the first start)`);
  } catch {
    return failed(
      `${existing} is not writable`,
      'choose another with --home or CLOBI_HOME, or become its owner',
    );
  }
}

async function checkPermissions(home: string): Promise<Result> {
  const directory = coordinatorDirectory(home);
  const found = await stat(directory).catch(() => undefined);
  if (found === undefined) return ok('nothing there yet');
  const mode = (found.mode & 0o777).toString(8);
  if ((found.mode & 0o077) === 0) return ok(`${directory} has mode ${mode}`);
  return failed(`${directory} has mode ${mode}: others can get at the token`, `chmod 700 ${directory}`);
}

async function checkDisk(home: string): Promise<Result> {
  const directory = await nearest(home);
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  if (free >= LEAST_FREE_BYTES) return ok(`${formatBytes(free)} free`);
  return failed(
    `${formatBytes(free)} free at ${directory}`,
    `have at least ${formatBytes(LEAST_FREE_BYTES)} free, or choose another disk with --home`,
  );
}

async function checkOpenFiles(): Promise<Result> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  if (soft === undefined) return ok('no limit known on this system');
  if (soft === 'unlimited' || Number(soft) >= LEAST_OPEN_FILES) return ok(soft);
  return warning(soft, `ulimit -n ${LEAST_OPEN_FILES}, or LimitNOFILE= in the systemd unit`);
}

async function checkIsolation(): Promise<Result> {
  const { probeIsolation } = await import('../../agent/process/isolation.ts');
  const { level, hasNamespace } = await probeIsolation();
  if (hasNamespace) return ok(level);
  return warning(
    level,
    'a task that calls setsid can outlive its end; allow user namespaces (sysctl kernel.unprivileged_userns_clone=1) and install util-linux',
  );
}

async function checkCoordinator({ client, version }: DoctorContext): Promise<Result> {
  const status = await client.get<StatusView>('/v1/status').catch((error: unknown) => messageOf(error));
  if (typeof status === 'string') return failed(status, 'clobi coordinator start');
  const found = `version ${status.version}, epoch ${status.epoch}, process ${status.pid}`;
  if (status.version === version) return ok(found);
  return failed(
    `${found}; this is version ${version}`,
    'install the same version on both sides, then start the coordinator again',
  );
}

async function checkClock(client: Client): Promise<Result> {
  const response = await client.open({ method: 'GET', path: '/healthz' }).catch(() => undefined);
  const theirs = Date.parse(response?.headers.date ?? '');
  response?.resume();
  if (Number.isNaN(theirs)) return warning('not compared: no coordinator answers', 'clobi coordinator start');
  // The header counts in whole seconds.
  const skewMs = Math.max(0, Math.abs(Date.now() - theirs) - 1000);
  if (skewMs <= LARGEST_SKEW_MS) return ok('agree');
  return failed(
    `${formatDuration(skewMs, 2)} apart from the coordinator`,
    'synchronise both clocks (chrony, systemd-timesyncd)',
  );
}

async function checkAgents(client: Client): Promise<Result> {
  const found = await client.get<{ agents: AgentView[] }>('/v1/agents').catch(() => undefined);
  if (found === undefined) return warning('not counted: no coordinator answers', 'clobi coordinator start');
  const live = found.agents.filter((agent) => agent.state === 'live');
  if (live.length === 0) return failed('none is live, so nothing runs', 'clobi agent start --pool local');
  return ok(
    `${plural(live.length, 'live agent')} with ${plural(
      live.reduce((sum, agent) => sum + agent.slots, 0),
      'slot',
    )}`,
  );
}
