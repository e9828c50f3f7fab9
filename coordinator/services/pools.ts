import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { AgentConfig } from '../../shared/agent-config.ts';
import { agentConfigFile } from '../../shared/paths.ts';
import { pause } from '../../shared/clock.ts';
import { messageOf } from '../../shared/errors.ts';
import { Guard } from '../../shared/providers/guard/guard.ts';
import { Late, lateQueue, lateStore } from '../../shared/providers/guard/late.ts';
import { guardQueue } from '../../shared/providers/guard/queue.ts';
import { guardStore } from '../../shared/providers/guard/store.ts';
import { RequestCounts } from '../../shared/providers/meter.ts';
import { openQueue, openStore } from '../../shared/providers/open.ts';
import type { ObjectStore, Queue } from '../../shared/providers/ports.ts';
import type { CoordinatorConfig } from '../config.ts';
import type { PoolConfig } from '../config-pools.ts';
import type { Pool } from './context.ts';

/** Without these a pool is dark: nothing new goes there (R9). */
const NEEDED = [
  'open',
  'units.send',
  'units.depth',
  'events.receive',
  'events.done',
  'store.put',
  'store.get',
  'store.list',
];
/** A start waits so long for pools to open; one that takes longer is dark until it has. */
const OPENING_MS = 10_000;

/** The primary store, behind its guard. */
export interface Primary {
  store: ObjectStore;
  guard: Guard;
  meter: RequestCounts;
}

export async function openPrimary(config: CoordinatorConfig, log: Logger): Promise<Primary> {
  const guard = new Guard({ name: 'the primary store', log, needed: NEEDED });
  const meter = new RequestCounts();
  return { store: guardStore(await openStore(config.store, { meter }), guard), guard, meter };
}

/**
 * Opens every pool's queues and store and creates what is missing. A pool whose store is the primary one shares it. One that
 * cannot be opened now is there all the same, dark; `open` tries again.
 */
export async function openPools(config: CoordinatorConfig, primary: Primary, log: Logger): Promise<Pool[]> {
  const pools = config.pools.map((pool) => makePool(pool, config.store, primary, log));
  const opened = new AbortController();
  const opening = Promise.all(pools.map((pool) => openOne(pool, log))).finally(() => opened.abort());
  await Promise.race([opening, pause(OPENING_MS, opened.signal)]);
  return pools;
}

async function openOne(pool: Pool, log: Logger): Promise<void> {
  try {
    await pool.open();
  } catch (error) {
    log.error({ pool: pool.name, err: error }, `pool cannot be opened: ${messageOf(error)}`);
  }
}

function makePool(config: PoolConfig, primaryUrl: string, primary: Primary, log: Logger): Pool {
  const guard = new Guard({ name: `pool ${config.name}`, log, needed: NEEDED, opensLater: true });
  const meter = new RequestCounts();
  const late = [config.unitsQueue, config.eventsQueue, config.deadQueue].map((url) => lateOf(url, meter));
  const [units, events, dead] = ['units', 'events', 'dead'].map((role, at) =>
    guardQueue(lateQueue(late[at] as Late<Queue>), guard, role),
  ) as [Queue, Queue, Queue];
  const ownStore =
    config.store === primaryUrl ? undefined : new Late<ObjectStore>(() => openStore(config.store, { meter }));
  return {
    name: config.name,
    config,
    units,
    events,
    dead,
    store: ownStore === undefined ? primary.store : guardStore(lateStore(ownStore), guard),
    guard,
    meter,
    storeGuard: ownStore === undefined ? primary.guard : guard,
    recall: { active: false },
    open: () =>
      guard.call('open', async () => {
        await Promise.all([...late, ...(ownStore === undefined ? [] : [ownStore])].map((one) => one.open()));
      }),
  };
}

const lateOf = (url: string, meter: RequestCounts): Late<Queue> =>
  new Late(async () => {
    const queue = await openQueue(url, { meter });
    await queue.ensure();
    return queue;
  });

export async function closePools(pools: readonly Pool[]): Promise<void> {
  await Promise.all(
    pools.flatMap(({ units, events, dead }) => [units, events, dead]).map((queue) => queue.close()),
  );
}

/** `pools/<pool>/agent.json`: all that an agent on this machine must know. Replaced in one step. */
export function writeAgentConfigs(config: CoordinatorConfig, publicKey: string): void {
  for (const pool of config.pools) {
    const file = agentConfigFile(config.home, pool.name);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeWhole(file, `${JSON.stringify(agentConfigOf(config, pool, publicKey), null, 2)}\n`);
  }
}

function agentConfigOf(config: CoordinatorConfig, pool: PoolConfig, publicKey: string): AgentConfig {
  const { heartbeatMs, leaseMs, flushMs, controlPollMs } = pool.timing;
  return {
    v: 1,
    ns: config.ns,
    pool: pool.name,
    ...pool.agent,
    publicKey,
    labels: { ...pool.labels },
    timing: { heartbeatMs, leaseMs, flushMs, controlPollMs },
  };
}

/** A reader sees the old file or the new one, never half of one. */
export function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
