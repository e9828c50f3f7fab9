import { hostname } from 'node:os';
import { join } from 'node:path';
import type { LevelWithSilent } from 'pino';
import manifest from '../package.json' with { type: 'json' };
import { systemClock } from '../shared/clock.ts';
import { newBootId } from '../shared/ids.ts';
import { createLogger, type Log } from '../shared/log.ts';
import { Guard } from '../shared/providers/guard/guard.ts';
import { guardQueue } from '../shared/providers/guard/queue.ts';
import { guardStore } from '../shared/providers/guard/store.ts';
import { RequestCounts } from '../shared/providers/meter.ts';
import { openQueue, openStore } from '../shared/providers/open.ts';
import { Agent, type Hello } from './agent.ts';
import { type AgentOptions, type AgentSettings, loadSettings } from './config.ts';
import { type OwnDirectory, takeDirectory } from './directory.ts';
import { probeIsolation } from './process/isolation.ts';
import { cleanLeftovers } from './process/leftovers.ts';
import { startSlot as openSlot } from './slot.ts';
import { InputCache } from './steps/input-cache.ts';
import { joinStops, watchStopSignals } from './stop-signals.ts';
import type { AgentIdentity, Slot } from './types.ts';

export interface RunAgentOptions extends AgentOptions {
  logLevel?: LevelWithSilent;
  /** In place of the agent's own log on standard output. */
  log?: Log;
  /** Aborting it asks to drain, as the first SIGTERM does. */
  signal?: AbortSignal;
  /** Aborting it asks to leave at once, as a second SIGTERM does. */
  killSignal?: AbortSignal;
}

/** Runs one agent until it is asked to go. Rejects with what is wrong with the options, or when the name is in use. */
export async function runAgent(options: RunAgentOptions): Promise<void> {
  const settings = await loadSettings(options);
  const directory = takeDirectory(settings.home, settings.pool, settings.name);
  const signals = watchStopSignals();
  try {
    const log = options.log ?? (await createLogger({ name: 'agent', level: options.logLevel ?? 'info' }));
    const agent = await assemble(settings, directory, log);
    await agent.run(joinStops(signals, { drain: options.signal, now: options.killSignal }));
  } finally {
    signals.dispose();
    directory.release();
  }
}

async function assemble(settings: AgentSettings, own: OwnDirectory, parent: Log): Promise<Agent> {
  const { config, pool, capacity } = settings;
  const identity: AgentIdentity = { pool, agent: own.name, boot: newBootId() };
  const log = parent.child({ pool, agent: identity.agent });
  const slotsDirectory = join(own.path, 'slots');
  const leftovers = await cleanLeftovers(slotsDirectory);
  const isolation = await probeIsolation();
  log.info(
    { boot: identity.boot, directory: own.path, capacity, isolation: isolation.level, leftovers },
    'agent starts',
  );
  const guard = new Guard({ name: `pool ${pool}`, log });
  const meter = new RequestCounts();
  const store = guardStore(await openStore(config.store, { meter }), guard);
  const cache = await InputCache.open({ directory: join(own.path, 'cache'), store });
  const startSlot = (number: number): Promise<Slot> =>
    openSlot({
      directory: join(slotsDirectory, String(number)),
      number,
      identity,
      store,
      cache,
      log,
      isolation,
    });
  return new Agent({
    settings,
    identity,
    units: guardQueue(await openQueue(config.unitsQueue, { meter }), guard, 'units'),
    eventsQueue: guardQueue(await openQueue(config.eventsQueue, { meter }), guard, 'events'),
    store,
    startSlot,
    requests: () => meter.totals(),
    hello: helloOf(settings, isolation.level),
    clock: systemClock,
    log,
  });
}

function helloOf({ capacity, labels }: AgentSettings, isolation: string): Hello {
  return {
    type: 'hello',
    host: hostname(),
    pid: process.pid,
    arch: process.arch,
    version: manifest.version,
    capacity: { ...capacity },
    labels: { ...labels },
    isolation,
  };
}
