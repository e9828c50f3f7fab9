import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ClobiError, messageOf } from '../shared/errors.ts';
import { storeDirectory } from '../shared/paths.ts';
import { compilePools, type PoolConfig } from './config-pools.ts';
import { compileSettings, SETTINGS, type SettingValues } from './config-settings.ts';

/**
 * The coordinator's configuration: defaults → `<home>/clobi.yaml` → environment → flags, compiled once into numbers with
 * their unit in the name, and frozen. A setting `dead` is `dead: 15s` in the file, `CLOBI_DEAD=15s` in the environment
 * and `{dead: '15s'}` among the flags; bare numbers are milliseconds.
 */
export interface CoordinatorConfig extends SettingValues {
  home: string;
  /** The primary store's URL. */
  store: string;
  pools: readonly PoolConfig[];
}

export type RawSettings = Readonly<Record<string, unknown>>;

export interface ConfigSources {
  home: string;
  /** Named as on the command line: `{listen: '127.0.0.1:0', patience: 'off'}`; undefined values are left out. */
  flags?: RawSettings;
  env?: Readonly<Record<string, string | undefined>>;
}

const configFile = (home: string): string => join(home, 'clobi.yaml');

/** Reads and compiles all sources. Rejects what it does not know with `INVALID_CONFIG`, naming setting, value and bounds. */
export function loadConfig(sources: ConfigSources): CoordinatorConfig {
  const file = readConfigFile(configFile(sources.home));
  const { pools, store, ...fromFile } = file;
  refuseUnknown(fromFile);
  const merged = {
    ...fromFile,
    ...fromEnvironment(sources.env ?? {}),
    ...dropUndefined(sources.flags ?? {}),
  };
  refuseUnknown(merged);
  const primary = store ?? `file:${storeDirectory(sources.home)}`;
  if (typeof primary !== 'string') {
    throw new ClobiError(
      'INVALID_CONFIG',
      `store is ${JSON.stringify(store)}; it must be the URL of a store, like file:/var/lib/clobi/store.`,
    );
  }
  return deepFreeze({
    ...compileSettings(merged),
    home: sources.home,
    store: primary,
    pools: compilePools(pools, {
      home: sources.home,
      store: primary,
      ns: typeof merged['ns'] === 'string' ? merged['ns'] : 'clobi',
    }),
  });
}

function readConfigFile(path: string): Record<string, unknown> {
  if (!existsSync(path)) return {};
  let value: unknown;
  try {
    value = parse(readFileSync(path, 'utf8'), { maxAliasCount: 100 });
  } catch (error) {
    throw new ClobiError('INVALID_CONFIG', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new ClobiError('INVALID_CONFIG', `${path} must hold settings as "name: value" lines.`);
  }
  return { ...value };
}

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of Object.keys(SETTINGS)) {
    const value = env[environmentName(name)];
    if (value !== undefined && value !== '') found[name] = value;
  }
  return found;
}

/** `leaseTime` → `CLOBI_LEASE_TIME`. */
export const environmentName = (setting: string): string =>
  `CLOBI_${setting.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

function refuseUnknown(settings: RawSettings): void {
  const unknown = Object.keys(settings).filter((name) => !(name in SETTINGS));
  if (unknown.length === 0) return;
  const known = [...Object.keys(SETTINGS), 'store', 'pools'].join(', ');
  throw new ClobiError(
    'INVALID_CONFIG',
    `Unknown setting ${unknown.map((name) => `"${name}"`).join(', ')}. Known: ${known}.`,
  );
}

const dropUndefined = (values: RawSettings): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value) as unknown[]) {
    if (typeof part === 'object' && part !== null) deepFreeze(part);
  }
  return Object.freeze(value);
}
