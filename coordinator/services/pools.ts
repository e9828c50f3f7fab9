import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { AgentConfig } from '../../shared/agent-config.ts';
import { agentConfigFile } from '../../shared/paths.ts';
import { openQueue, openStore } from '../../shared/providers/open.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import type { CoordinatorConfig } from '../config.ts';
import type { PoolConfig } from '../config-pools.ts';
import type { Pool } from './context.ts';

/** Opens every pool's queues and store and creates what is missing. A pool whose store is the primary one shares it. */
export async function openPools(config: CoordinatorConfig, primary: ObjectStore): Promise<Pool[]> {
  const pools: Pool[] = [];
  for (const pool of config.pools) pools.push(await openPool(pool, config.store, primary));
  return pools;
}

async function openPool(config: PoolConfig, primaryUrl: string, primary: ObjectStore): Promise<Pool> {
  const [units, events, dead] = (await Promise.all(
    [config.unitsQueue, config.eventsQueue, config.deadQueue].map((url) => openQueue(url)),
  )) as [Pool['units'], Pool['events'], Pool['dead']];
  await Promise.all([units, events, dead].map((queue) => queue.ensure()));
  const store = config.store === primaryUrl ? primary : await openStore(config.store);
  return { name: config.name, config, units, events, dead, store };
}

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
