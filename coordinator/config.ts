import { join } from 'node:path';
import { nowhere } from '../shared/job-file/positions.ts';
import { type Finding, type Problem, suggest } from '../shared/job-file/problems.ts';
import { storeDirectory } from '../shared/paths.ts';
import { type ConfigFile, configError, readConfigFile } from './config-file.ts';
import { compilePlace } from './config-places.ts';
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

/** Reads and compiles all sources. Rejects with `INVALID_CONFIG` and every problem in one go, each with its place. */
export function loadConfig(sources: ConfigSources): CoordinatorConfig {
  const { home } = sources;
  const file = readConfigFile(configFile(home));
  const { pools: givenPools, store: givenStore, ...fromFile } = file.raw;
  const overrides = overridesOf(sources);
  const given = { ...fromFile, ...Object.fromEntries(overrides.map(({ name, value }) => [name, value])) };
  const settings = compileSettings(given);
  const store = compilePlace(givenStore ?? `file:${storeDirectory(home)}`, ['store'], home);
  const { ns } = settings.values;
  const pools = compilePools(givenPools, {
    home,
    ns,
    store: store.url,
    settings: settings.values,
    given,
    sourceOf: file.locator.sourceOf,
  });
  const findings = [...unknownKeys(file), ...settings.findings, ...store.findings, ...pools.findings];
  const problems = [
    ...file.problems,
    ...findings.map((finding) => locate(finding, file, overrides)),
    ...unknownOverrides(overrides),
  ];
  if (problems.length > 0) throw configError(problems);
  return deepFreeze({ ...settings.values, home, store: store.url, pools: pools.pools });
}

/** A setting that does not come from the file. */
interface Override {
  name: string;
  value: unknown;
  /** As a person gave it: `CLOBI_DEAD`, `--set dead`. */
  origin: string;
}

/** The weaker ones first. */
function overridesOf({ env = {}, flags = {} }: ConfigSources): Override[] {
  const fromEnvironment = Object.keys(SETTINGS).flatMap((name) => {
    const origin = environmentName(name);
    const value = env[origin];
    return value === undefined || value === '' ? [] : [{ name, value, origin }];
  });
  const fromFlags = Object.entries(flags)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ({ name, value, origin: `--set ${name}` }));
  return [...fromEnvironment, ...fromFlags];
}

/** `leaseTime` → `CLOBI_LEASE_TIME`. */
export const environmentName = (setting: string): string =>
  `CLOBI_${setting.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

const KNOWN_KEYS = [...Object.keys(SETTINGS), 'store', 'pools'];

const unknownKeys = ({ raw }: ConfigFile): Finding[] =>
  Object.keys(raw)
    .filter((name) => !KNOWN_KEYS.includes(name))
    .map((name) => ({
      path: [name],
      at: 'key',
      message: `unknown setting "${name}"${suggest(name, KNOWN_KEYS)}`,
    }));

const unknownOverrides = (overrides: readonly Override[]): Problem[] =>
  overrides
    .filter(({ name }) => !(name in SETTINGS))
    .map(({ name, origin }) =>
      nowhere.locate(
        { path: [name], message: `unknown setting "${name}"${suggest(name, Object.keys(SETTINGS))}` },
        origin,
      ),
    );

/** A value from the environment or a flag has no line in the file. */
function locate(finding: Finding, file: ConfigFile, overrides: readonly Override[]): Problem {
  const override = overrides.findLast(({ name }) => finding.path.length === 1 && name === finding.path[0]);
  if (override !== undefined) return nowhere.locate(finding, override.origin);
  return file.locator.locate(finding, file.path);
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value) as unknown[]) {
    if (typeof part === 'object' && part !== null) deepFreeze(part);
  }
  return Object.freeze(value);
}
