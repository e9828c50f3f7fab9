import type { Finding } from '../shared/job-file/problems.ts';
import { compileOne, refusalOf, requireLess, SETTINGS, type SettingValues } from './config-settings.ts';

/** Times that a pool may have of its own, in ms. */
export interface PoolTiming {
  heartbeatMs: number;
  deadMs: number;
  leaseMs: number;
  flushMs: number;
  controlPollMs: number;
}

export const TIMING_KEYS = ['heartbeat', 'dead', 'lease', 'flush', 'controlPoll'] as const;
export type TimingKey = (typeof TIMING_KEYS)[number];
type Defaults = Readonly<Partial<Record<TimingKey, number>>>;

/** Every word of an agent is a request that a cloud bills; at home it costs nothing. */
export const CLOUD_QUEUE_TIMING: Defaults = {
  heartbeat: 15_000,
  dead: 90_000,
  lease: 120_000,
  flush: 1_000,
};
export const CLOUD_STORE_TIMING: Defaults = { controlPoll: 5_000 };
/** A cloud counts leases in whole seconds. */
const SHORTEST_CLOUD_LEASE_MS = 1_000;

export interface TimingInput {
  /** The keys of the pool itself. */
  pool: Readonly<Partial<Record<TimingKey, unknown>>>;
  path: readonly PropertyKey[];
  settings: SettingValues;
  /** Settings that somebody gave; the others are defaults. */
  given: Readonly<Record<string, unknown>>;
  cloudQueue: boolean;
  cloudStore: boolean;
}

/** A pool's own times → settings that were given → defaults of its kind. Relations are checked with both values named. */
export function compileTiming(input: TimingInput): { timing: PoolTiming; findings: Finding[] } {
  const { pool, path, settings, given } = input;
  const findings: Finding[] = [];
  const defaults = {
    ...(input.cloudQueue ? CLOUD_QUEUE_TIMING : {}),
    ...(input.cloudStore ? CLOUD_STORE_TIMING : {}),
  };
  const timing: PoolTiming = { ...settings };
  for (const key of TIMING_KEYS) {
    const setting = SETTINGS[key];
    const compiled = setting.compiled as keyof PoolTiming;
    const own = pool[key] === undefined ? undefined : compileOne(setting, pool[key]);
    if (typeof own === 'number') timing[compiled] = own;
    else if (given[key] === undefined) timing[compiled] = defaults[key] ?? settings[compiled];
    if (pool[key] !== undefined && own === undefined)
      findings.push({
        path: [...path, key],
        message: `${nameOf(path, key)} ${refusalOf(setting, pool[key])}`,
      });
  }
  // A dead time that somebody shortened takes the heartbeat that nobody gave along.
  if (pool.heartbeat === undefined && given['heartbeat'] === undefined)
    timing.heartbeatMs = Math.min(timing.heartbeatMs, Math.max(1, Math.floor(timing.deadMs / 3)));
  findings.push(...relations(input, timing));
  return { timing: onlyTiming(timing), findings };
}

function relations(input: TimingInput, { heartbeatMs, deadMs, leaseMs }: PoolTiming): Finding[] {
  const { pool, path, settings, cloudQueue } = input;
  const own = TIMING_KEYS.filter((key) => pool[key] !== undefined);
  // Times that are all the settings' own have been checked with them.
  if (own.length === 0 && !cloudQueue) return [];
  const at = (...keys: TimingKey[]): PropertyKey[] => {
    const key = keys.find((one) => pool[one] !== undefined);
    return key === undefined ? [...path] : [...path, key];
  };
  const heartbeat = requireLess(
    [nameOf(path, 'heartbeat'), heartbeatMs],
    [nameOf(path, 'dead'), deadMs],
    'else every agent is dead between two heartbeats',
  );
  const dead = requireLess(
    [nameOf(path, 'dead'), deadMs],
    ['notAfter', settings.notAfterMs],
    'else units expire before a dead agent is noticed',
  );
  const lease =
    cloudQueue && leaseMs < SHORTEST_CLOUD_LEASE_MS
      ? `${nameOf(path, 'lease')} (${leaseMs} ms) must be at least ${SHORTEST_CLOUD_LEASE_MS} ms: clouds count leases in whole seconds`
      : undefined;
  return [
    ...(heartbeat === undefined ? [] : [{ path: at('heartbeat', 'dead'), message: heartbeat.message }]),
    ...(dead === undefined ? [] : [{ path: at('dead'), message: dead.message }]),
    ...(lease === undefined ? [] : [{ path: at('lease'), message: lease }]),
  ];
}

const nameOf = (path: readonly PropertyKey[], key: string): string => [...path, key].join('.');

const onlyTiming = ({ heartbeatMs, deadMs, leaseMs, flushMs, controlPollMs }: PoolTiming): PoolTiming => ({
  heartbeatMs,
  deadMs,
  leaseMs,
  flushMs,
  controlPollMs,
});
