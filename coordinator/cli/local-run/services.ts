import { pause } from '../../../shared/clock.ts';
import { ClobiError } from '../../../shared/errors.ts';
import { Client } from '../client.ts';
import { findEndpoint, readEndpointFile } from '../endpoint.ts';
import { Child } from './child.ts';

/** A coordinator and agents of our own on one state directory. */
export interface LocalServices {
  client: Client;
  /** Aborts when one of them cannot be kept running; its reason says why. */
  failed: AbortSignal;
  /** The agents finish what they run; then all end. `hurry` cuts that short. */
  stop(): Promise<void>;
  hurry(): void;
}

export interface LocalServicesOptions {
  home: string;
  slots?: number | undefined;
  /** The pools that get an agent each (default: `local`). */
  pools?: readonly string[];
  say: (line: string) => void;
  signal: AbortSignal;
}

const RESTARTS = 5;
const START_PATIENCE_MS = 60_000;
const POLL_MS = 25;
/** The client outlives a restart of the coordinator. */
const CLIENT_PATIENCE_MS = 60_000;
const LONGEST_DRAIN_MS = 2 ** 31 - 1;
const LONGEST_STOP_MS = 15_000;

/** Always the same name: its new boot ends at once what the one of an interrupted run claimed (R7). */
const agentOf = (pool: string): string => (pool === 'local' ? 'here' : `here-${pool}`);

export async function startServices(options: LocalServicesOptions): Promise<LocalServices> {
  const { pools = ['local'] } = options;
  const failed = new AbortController();
  const child = (title: string, args: readonly string[], restarts: number): Child =>
    new Child({
      title,
      args: [...args, '--home', options.home],
      restarts,
      onRestart: (why) => options.say(`The ${title} ended unexpectedly (${why}); it is started again.`),
      onGone: (why) => failed.abort(goneError(title, why, options.home)),
    });
  const slots = options.slots === undefined ? [] : ['--slots', String(options.slots)];
  const coordinator = child('coordinator', ['coordinator', 'start', '--listen', '127.0.0.1:0'], RESTARTS);
  const agents = pools.map((pool) =>
    child('agent', ['agent', 'start', '--pool', pool, '--name', agentOf(pool), ...slots], RESTARTS),
  );
  const client = new Client({
    home: options.home,
    patienceMs: CLIENT_PATIENCE_MS,
    findEndpoint: (home) => findEndpoint(home, {}),
  });
  const services: LocalServices = {
    client,
    failed: failed.signal,
    hurry: () => agents.forEach((agent) => agent.hurry()),
    async stop() {
      await Promise.all(agents.map((agent) => agent.stop(LONGEST_DRAIN_MS)));
      await coordinator.stop(LONGEST_STOP_MS);
      client.close();
    },
  };
  coordinator.start();
  try {
    await waitUntilReady(coordinator, client, {
      home: options.home,
      signals: [failed.signal, options.signal],
    });
  } catch (error) {
    await services.stop();
    throw error;
  }
  // They read what the coordinator has written for their pools.
  for (const agent of agents) agent.start();
  return services;
}

/** The endpoint must be this child's: one left by a coordinator that was killed leads nowhere, or elsewhere. */
async function waitUntilReady(
  coordinator: Child,
  client: Client,
  at: { home: string; signals: AbortSignal[] },
): Promise<void> {
  const deadline = Date.now() + START_PATIENCE_MS;
  while (pidOf(at.home) !== coordinator.pid) {
    for (const signal of at.signals) signal.throwIfAborted();
    if (Date.now() > deadline) {
      throw new ClobiError(
        'UNREACHABLE',
        `The coordinator is not ready after ${START_PATIENCE_MS / 1000} s. "clobi coordinator logs --home ${at.home}" shows why.`,
      );
    }
    await pause(POLL_MS, AbortSignal.any(at.signals));
  }
  await client.get('/v1/status');
}

function pidOf(home: string): number {
  try {
    return readEndpointFile(home).pid;
  } catch {
    return -1;
  }
}

function goneError(title: string, why: string, home: string): ClobiError {
  const locked = why.includes('is in use by');
  const message = locked
    ? `Another "clobi run" works on this: ${why.replace(/^exit code \d+: /, '')}`
    : `The ${title} cannot be kept running (${why}). "clobi coordinator logs --home ${home}" shows what it said. What is done is kept; the same command goes on.`;
  return new ClobiError(locked ? 'LOCKED' : 'UNAVAILABLE', message);
}
