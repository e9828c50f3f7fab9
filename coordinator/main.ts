import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { makeDirectories } from '../shared/make-directories.ts';
import { systemClock } from '../shared/clock.ts';
import type { ClobiError } from '../shared/errors.ts';
import { createLogger, type Log } from '../shared/log.ts';
import { coordinatorDirectory, queuesDirectory, storeDirectory } from '../shared/paths.ts';
import { loadConfig, type CoordinatorConfig, type RawSettings } from './config.ts';
import { readVersion } from './cli/version.ts';
import { buildServer } from './http/server.ts';
import { takeLock } from './lock.ts';
import { makeServices } from './services/all.ts';
import type { Context } from './services/context.ts';
import { EpochGuard, refuseLostState } from './services/epoch.ts';
import { Follows } from './services/follows.ts';
import { listenOn, removeEndpoint, writeEndpoint } from './services/listen.ts';
import { Metrics } from './services/metrics.ts';
import { closePools, openPools, openPrimary, writeAgentConfigs } from './services/pools.ts';
import { rebuildState as rebuild, stateFile, type Rebuilt } from './services/rebuild.ts';
import { readSecrets } from './services/secrets.ts';
import { Signals } from './services/signals.ts';
import { Staging } from './services/staging.ts';
import { watchStop } from './services/stop-signals.ts';
import { Submitter } from './services/submitter.ts';
import { openState } from './state/open.ts';

export interface CoordinatorOptions {
  home: string;
  /** Over `settings.listen`. */
  listen?: string | undefined;
  logLevel?: string | undefined;
  /** Any other setting, named as in clobi.yaml. */
  settings?: RawSettings;
  /** Take the store from another coordinator that is gone (R12). */
  takeOver?: boolean;
  /** Stops the coordinator as SIGTERM does. */
  signal?: AbortSignal;
  /** Where log lines go beside the file; stdout when not given. */
  logTo?: 'stdout' | 'nowhere';
}

/** Undone in the opposite order, however far the start came. */
type Cleanup = () => void | Promise<void>;

/**
 * Runs a coordinator until SIGTERM, SIGINT, `signal`, or (with CLOBI_EXIT_WITH_PARENT=1) the end of standard input. Rejects
 * with `INVALID_CONFIG`, `LOCKED`, `STALE_EPOCH`, or `CONFLICT` when the state was lost.
 */
export async function runCoordinator(options: CoordinatorOptions): Promise<void> {
  const config = configOf(options);
  const directory = makeHome(config);
  const cleanups: Cleanup[] = [];
  const lock = takeLock(directory, systemClock.now());
  cleanups.push(() => lock.release());
  const log = await openLog(config, options);
  const stop = watchStop(options.signal);
  cleanups.push(() => stop.dispose());
  let lost: ClobiError | undefined;
  try {
    await startAll({ config, log, options, cleanups, onLost: (error) => stop.stop((lost = error)) });
    await stop.asked;
    log.info({ why: stop.reason() }, 'coordinator stops');
  } catch (error) {
    log.error({ err: error }, 'coordinator cannot run');
    throw error;
  } finally {
    await cleanUp(cleanups, log);
  }
  log.info('coordinator stopped');
  if (lost !== undefined) throw lost;
}

/** One that fails must not keep the others from being done. */
async function cleanUp(cleanups: readonly Cleanup[], log: Log): Promise<void> {
  for (const cleanup of cleanups.toReversed()) {
    try {
      await cleanup();
    } catch (error) {
      log.error({ err: error }, 'a part could not be stopped');
    }
  }
}

/** R11: rebuilds the state of this home from its store. */
export async function rebuildState(options: CoordinatorOptions & { force?: boolean }): Promise<Rebuilt> {
  const config = configOf(options);
  makeHome(config);
  const log = await openLog(config, options);
  return rebuild({ config, log, force: options.force === true });
}

const configOf = (options: CoordinatorOptions): CoordinatorConfig =>
  loadConfig({
    home: options.home,
    env: process.env,
    flags: {
      ...options.settings,
      listen: options.listen ?? options.settings?.['listen'],
      logLevel: options.logLevel ?? options.settings?.['logLevel'],
    },
  });

function makeHome({ home }: CoordinatorConfig): string {
  const directory = coordinatorDirectory(home);
  for (const path of [home, directory, queuesDirectory(home), storeDirectory(home)])
    makeDirectories(path, 0o700);
  return directory;
}

const openLog = (config: CoordinatorConfig, { logTo = 'stdout' }: CoordinatorOptions): Promise<Log> =>
  createLogger({
    name: 'coordinator',
    level: config.logLevel,
    to: logTo,
    file: join(coordinatorDirectory(config.home), 'logs', 'coordinator'),
  });

interface Start {
  config: CoordinatorConfig;
  log: Log;
  options: CoordinatorOptions;
  cleanups: Cleanup[];
  onLost: (error: ClobiError) => void;
}

async function startAll(start: Start): Promise<void> {
  const { config, log, cleanups } = start;
  const secrets = readSecrets(coordinatorDirectory(config.home));
  const context = await openContext(start);
  await takeStore(start, context);
  writeAgentConfigs(config, secrets.publicKey);
  const follows = new Follows(context.clock, context.signals);
  const submitter = new Submitter(context);
  await submitter.recover();
  cleanups.push(() => submitter.idle());
  for (const service of makeServices(context, { privateKey: secrets.privateKey, follows })) {
    service.start();
    cleanups.push(() => service.stop());
  }
  const startedAt = context.clock.now();
  const app = await buildServer({
    ...context,
    submitter,
    follows,
    token: secrets.token,
    startedAt,
    version: readVersion(),
  });
  const url = await openEndpoint(app, start, startedAt);
  log.info(
    { url, pid: process.pid, epoch: context.state.epoch(), pools: context.pools.map((pool) => pool.name) },
    'coordinator started',
  );
}

/** Opens state, store and pools. */
async function openContext({ config, log, cleanups }: Start): Promise<Context> {
  const state = openState(stateFile(config.home));
  cleanups.push(() => state.close());
  const primary = await openPrimary(config, log);
  const pools = await openPools(config, primary, log);
  cleanups.push(() => closePools(pools));
  return {
    config,
    log,
    state,
    store: primary.store,
    storeGuard: primary.guard,
    storeMeter: primary.meter,
    pools,
    clock: systemClock,
    signals: new Signals(),
    staging: new Staging(),
    metrics: new Metrics(),
  };
}

/** R12: the store is ours, and the state is the one that belongs to it. */
async function takeStore({ config, options, cleanups, onLost }: Start, context: Context): Promise<void> {
  await refuseLostState(
    context.store,
    context.state.totals().jobs > 0 || context.state.stagedJobs().length > 0 || options.takeOver === true,
  );
  const guard = new EpochGuard(context, onLost);
  const lockCoversStore = config.store === `file:${storeDirectory(config.home)}`;
  await guard.take({ lockCoversStore, takeOver: options.takeOver === true });
  cleanups.push(() => guard.release());
  guard.start();
  cleanups.push(() => guard.stop());
}

/** Last to start, first to stop: who can ask finds everything ready. */
async function openEndpoint(
  app: FastifyInstance,
  { config, cleanups }: Start,
  startedAt: number,
): Promise<string> {
  cleanups.push(() => app.close());
  const url = await listenOn(app, config.listen);
  cleanups.push(() => removeEndpoint(config.home));
  writeEndpoint(config.home, { url, pid: process.pid, startedAt });
  return url;
}
