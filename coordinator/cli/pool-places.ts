import { ClobiError, isCode, messageOf } from '../../shared/errors.ts';
import { suggest } from '../../shared/job-file/problems.ts';
import type { Difference, Manager } from '../../shared/providers/manage.ts';
import { openManager } from '../../shared/providers/open.ts';
import type { ListView } from './output/output.ts';
import { type CoordinatorConfig, loadConfig } from '../config.ts';
import type { PoolConfig } from '../config-pools.ts';

/** A difference of one queue or store. `pool`: the pools that use it, with commas between. */
export interface PoolDifference extends Difference {
  pool: string;
}

interface Place {
  url: string;
  users: string[];
  manager: Manager | undefined;
  /** As the last look found them. */
  differences: readonly Difference[];
}

/** Holds job files, inputs and verdicts, whichever pools there are. */
const PRIMARY = 'primary store';

export const readConfig = (home: string): CoordinatorConfig => loadConfig({ home, env: process.env });

/** The queues and stores of pools, looked at as `clobi.yaml` names them; no coordinator is asked. */
export class PoolPlaces {
  readonly #places: readonly Place[];

  private constructor(places: readonly Place[]) {
    this.#places = places;
  }

  /** `names`: all pools when empty. Rejects with `NOT_FOUND` for a pool that is not configured. */
  static async open(home: string, names: readonly string[]): Promise<PoolPlaces> {
    const config = readConfig(home);
    return new PoolPlaces(placesOf(config, choosePools(config, names)));
  }

  /**
   * All differences, each once, though several pools may share what it is about. What keeps us from looking is one of them:
   * the others are seen all the same.
   */
  async inspect(): Promise<PoolDifference[]> {
    const all = new Map<string, PoolDifference>();
    for (const place of this.#places) {
      place.differences = await look(place).catch((error: unknown) => unseen(place.url, error));
      for (const difference of place.differences) {
        const key = `${difference.thing} ${difference.setting}`;
        const users = new Set([...(all.get(key)?.pool.split(', ') ?? []), ...place.users]);
        all.set(key, { ...difference, pool: [...users].join(', ') });
      }
    }
    return [...all.values()];
  }

  /** Mends what the last `inspect` found mendable. Gives what kept it from doing so; the others are mended all the same. */
  async mend(): Promise<string[]> {
    const problems: string[] = [];
    for (const { manager, differences } of this.#places) {
      const mendable = differences.filter((difference) => difference.mendable);
      if (mendable.length === 0) continue;
      await manager?.mend(mendable).catch((error: unknown) => problems.push(messageOf(error)));
    }
    return problems;
  }
}

async function look(place: Place): Promise<Difference[]> {
  place.manager ??= await openManager(place.url);
  return (await place.manager?.inspect()) ?? [];
}

function placesOf(config: CoordinatorConfig, pools: readonly PoolConfig[]): Place[] {
  const users = new Map<string, string[]>([[config.store, [PRIMARY]]]);
  for (const pool of pools) {
    // The queue of its dead letters goes with that of its units.
    for (const url of [pool.unitsQueue, pool.eventsQueue, pool.store])
      users.set(url, [...(users.get(url) ?? []), pool.name]);
  }
  return [...users].map(([url, names]) => ({ url, users: names, manager: undefined, differences: [] }));
}

/** The pools with these names; all when there are none. Rejects with `NOT_FOUND` and what is near. */
export function choosePools(config: CoordinatorConfig, names: readonly string[]): readonly PoolConfig[] {
  const { pools } = config;
  for (const name of names) {
    if (pools.some((pool) => pool.name === name)) continue;
    const hint = suggest(
      name,
      pools.map((pool) => pool.name),
    );
    throw new ClobiError('NOT_FOUND', `There is no pool "${name}" in clobi.yaml${hint}.`);
  }
  return names.length === 0 ? pools : pools.filter(({ name }) => names.includes(name));
}

/** Without its options the URL says what it is, not how it is opened. */
const unseen = (url: string, error: unknown): Difference[] => [
  {
    thing: url.replace(/\?.*$/, ''),
    setting: 'access',
    is: messageOf(error),
    shouldBe: 'reachable',
    fix: isCode(error, 'CLOUD_AUTH') ? 'see what is found' : 'clobi pool check',
    gravity: 'failed',
    mendable: false,
  },
];

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
