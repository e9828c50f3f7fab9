import { ClobiError, isCode, messageOf } from '../../shared/errors.ts';
import type { Difference, Manager } from '../../shared/providers/manage.ts';
import { openManager } from '../../shared/providers/open.ts';
import type { ListView } from './output/output.ts';
import { loadConfig } from '../config.ts';
import type { PoolConfig } from '../config-pools.ts';

/** A difference of one queue or store that a pool uses. */
export interface PoolDifference extends Difference {
  pool: string;
}

/** The queues and stores of pools, looked at as `clobi.yaml` names them; no coordinator is asked. */
export class PoolPlaces {
  readonly #places: { pool: string; manager: Manager }[] = [];
  readonly #found = new Map<Manager, Difference[]>();

  /** `names`: all pools when empty. Rejects with `NOT_FOUND` for a pool that is not configured. */
  static async open(home: string, names: readonly string[]): Promise<PoolPlaces> {
    const { pools } = loadConfig({ home, env: process.env });
    const places = new PoolPlaces();
    for (const pool of choose(pools, names)) {
      for (const url of new Set([pool.unitsQueue, pool.eventsQueue, pool.store])) {
        const manager = await openManager(url);
        if (manager !== undefined) places.#places.push({ pool: pool.name, manager });
      }
    }
    return places;
  }

  /** All differences. What keeps us from looking is one of them: the others are seen all the same. */
  async inspect(): Promise<PoolDifference[]> {
    const all: PoolDifference[] = [];
    for (const { pool, manager } of this.#places) {
      const differences = await manager.inspect().catch(unseen);
      this.#found.set(manager, differences);
      all.push(...differences.map((difference) => ({ pool, ...difference })));
    }
    return all;
  }

  /** Mends what the last `inspect` found mendable. */
  async mend(): Promise<void> {
    for (const [manager, differences] of this.#found)
      await manager.mend(differences.filter(({ mendable }) => mendable));
  }
}

function choose(pools: readonly PoolConfig[], names: readonly string[]): readonly PoolConfig[] {
  const unknown = names.filter((name) => !pools.some((pool) => pool.name === name));
  if (unknown.length > 0) {
    const known = pools.map(({ name }) => name).join(', ');
    throw new ClobiError(
      'NOT_FOUND',
      `There is no pool ${unknown.join(', ')} in clobi.yaml. Known: ${known}.`,
    );
  }
  return names.length === 0 ? pools : pools.filter(({ name }) => names.includes(name));
}

function unseen(error: unknown): Difference[] {
  const fix = isCode(error, 'CLOUD_AUTH') ? 'see what is found' : 'clobi pool check';
  const is = messageOf(error);
  return [
    {
      thing: 'access',
      setting: 'access',
      is,
      shouldBe: 'reachable',
      fix,
      gravity: 'failed',
      mendable: false,
    },
  ];
}

export const differenceList: ListView<PoolDifference> = {
  name: ({ pool, thing, setting }) => `${pool}/${thing}/${setting}`,
  empty: 'Every queue and store is as it should be.',
  columns: [
    { title: 'POOL', text: ({ pool }) => pool },
    { title: 'WHAT', text: ({ thing }) => thing },
    { title: 'SETTING', text: ({ setting }) => setting },
    {
      title: 'GRAVITY',
      text: ({ gravity }) => gravity,
      colour: ({ gravity }, colours) => (gravity === 'failed' ? colours.red : colours.yellow),
    },
    { title: 'IS', text: ({ is }) => is },
    { title: 'SHOULD BE', text: ({ shouldBe }) => shouldBe },
    { title: 'FIX', text: ({ fix }) => fix },
  ],
};
