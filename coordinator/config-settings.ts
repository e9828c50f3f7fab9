import type { LevelWithSilent } from 'pino';
import type { Finding } from '../shared/job-file/problems.ts';
import { DURATION_PATTERN, parseDuration } from '../shared/units-of-measure.ts';

/** Every setting that is one value, with its default, its bounds and what it means (docs/config.md is made of this). */
export interface DurationSetting {
  kind: 'duration';
  /** Name in the compiled configuration; ends in Ms. */
  compiled: string;
  default: string;
  minMs: number;
  maxMs: number;
  /** `off` is allowed and means for ever (null). */
  off: boolean;
  meaning: string;
}
export interface TextSetting {
  kind: 'text';
  compiled: string;
  default: string;
  pattern: RegExp;
  expected: string;
  meaning: string;
}

const DAY_MS = 24 * 3600 * 1000;
const duration = (
  compiled: string,
  value: string,
  range: readonly [number, number],
  meaning: string,
): DurationSetting => ({
  kind: 'duration',
  compiled,
  default: value,
  minMs: range[0],
  maxMs: range[1],
  off: false,
  meaning,
});
const orOff = (setting: DurationSetting): DurationSetting => ({ ...setting, off: true });

export const SETTINGS = {
  ns: {
    kind: 'text',
    compiled: 'ns',
    default: 'clobi',
    pattern: /^[a-z][a-z0-9-]{0,30}$/,
    expected: 'lower-case letters, digits and dashes, at most 31',
    meaning: 'Prefix of every queue name.',
  },
  listen: {
    kind: 'text',
    compiled: 'listen',
    default: '127.0.0.1:7475',
    pattern: /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost|\[::1\]):\d{1,5}$/,
    expected: 'a loopback address and a port, like 127.0.0.1:7475; port 0 takes any free one',
    meaning: 'Where the API listens; when the port is taken, a free one (endpoint.json names it).',
  },
  logLevel: {
    kind: 'text',
    compiled: 'logLevel',
    default: 'info',
    pattern: /^(trace|debug|info|warn|error|fatal|silent)$/,
    expected: 'trace, debug, info, warn, error, fatal or silent',
    meaning: 'How much is logged.',
  },
  heartbeat: duration('heartbeatMs', '2s', [20, 10 * 60_000], 'How often an agent says what it holds.'),
  dead: duration('deadMs', '15s', [50, DAY_MS], 'Silence after which an agent counts as dead.'),
  lease: duration(
    'leaseMs',
    '60s',
    [100, DAY_MS / 2],
    'How long a received message stays hidden unless extended.',
  ),
  flush: duration('flushMs', '200ms', [1, 60_000], 'Longest wait of an agent before it writes outcomes.'),
  controlPoll: duration(
    'controlPollMs',
    '250ms',
    [10, 10 * 60_000],
    'How often an agent reads the control document.',
  ),
  patience: orOff(
    duration(
      'patienceMs',
      '2m',
      [50, 365 * DAY_MS],
      'How long a unit that nobody has claimed is waited for; off: for ever.',
    ),
  ),
  lookahead: orOff(
    duration(
      'lookaheadMs',
      '10s',
      [1, 365 * DAY_MS],
      'Work pushed to a pool ahead of what runs; off: everything at once.',
    ),
  ),
  unitTarget: duration('unitTargetMs', '2s', [1, 3600_000], 'Run time that one unit should hold.'),
  notAfter: duration(
    'notAfterMs',
    '7d',
    [1000, 365 * DAY_MS],
    'Age at which a unit must no longer be begun.',
  ),
  holdDown: duration(
    'holdDownMs',
    '60s',
    [50, DAY_MS],
    'How long a pool that cannot be reached is waited for before its work goes to other pools, at the cost of a loss a task.',
  ),
  epochCheck: duration(
    'epochCheckMs',
    '30s',
    [100, 3600_000],
    'How often it is checked that no other coordinator has taken over.',
  ),
} as const satisfies Record<string, DurationSetting | TextSetting>;

export interface SettingValues {
  ns: string;
  listen: string;
  logLevel: LevelWithSilent;
  heartbeatMs: number;
  deadMs: number;
  leaseMs: number;
  flushMs: number;
  controlPollMs: number;
  /** Null: for ever. */
  patienceMs: number | null;
  /** Null: everything is pushed. */
  lookaheadMs: number | null;
  unitTargetMs: number;
  notAfterMs: number;
  holdDownMs: number;
  epochCheckMs: number;
}

export interface CompiledSettings {
  /** Where one is wrong, its default. */
  values: SettingValues;
  findings: Finding[];
}

/** Settings as given → compiled values; relations are checked with both values named. */
export function compileSettings(given: Readonly<Record<string, unknown>>): CompiledSettings {
  const findings: Finding[] = [];
  const compiled: Record<string, string | number | null> = {};
  for (const [name, setting] of Object.entries(SETTINGS)) {
    const value = compileOne(setting, given[name] ?? setting.default);
    if (value === undefined)
      findings.push({ path: [name], message: `${name} ${refusalOf(setting, given[name])}` });
    const kept = value === undefined ? compileOne(setting, setting.default) : value;
    compiled[setting.compiled] = kept ?? null;
  }
  const values = compiled as unknown as SettingValues;
  const relations = [
    requireLess(
      ['heartbeat', values.heartbeatMs],
      ['dead', values.deadMs],
      'else every agent is dead between two heartbeats',
    ),
    requireLess(
      ['dead', values.deadMs],
      ['notAfter', values.notAfterMs],
      'else units expire before a dead agent is noticed',
    ),
  ];
  for (const broken of relations) {
    // Points at what was given; the other one is a default.
    if (broken !== undefined)
      findings.push({
        path: [given[broken.smaller] === undefined ? broken.larger : broken.smaller],
        message: broken.message,
      });
  }
  return { values, findings };
}

/** Undefined when the value is none for this setting; null for `off`. */
export function compileOne(
  setting: DurationSetting | TextSetting,
  value: unknown,
): string | number | null | undefined {
  if (setting.kind === 'text')
    return typeof value === 'string' && setting.pattern.test(value) ? value : undefined;
  // YAML reads a bare `off` as text in version 1.2 and as false in 1.1.
  if (setting.off && (value === 'off' || value === null || value === false)) return null;
  const ms = toMillis(value);
  const fits = ms !== undefined && Number.isFinite(ms) && ms >= setting.minMs && ms <= setting.maxMs;
  return fits ? Math.round(ms) : undefined;
}

/** `is "1ms"; it must be …`, after the setting's name. */
export function refusalOf(setting: DurationSetting | TextSetting, value: unknown): string {
  const found = `is ${JSON.stringify(value)}; it must be`;
  if (setting.kind === 'text') return `${found} ${setting.expected}`;
  const off = setting.off ? ' or off' : '';
  return `${found} a time from ${setting.minMs} ms to ${setting.maxMs} ms, like ${setting.default}${off}`;
}

/** A bare number is milliseconds; undefined when it is no duration. */
function toMillis(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  if (/^\d{1,15}$/.test(value)) return Number(value);
  return DURATION_PATTERN.test(value) ? parseDuration(value) : undefined;
}

/** What is wrong when the first is not the shorter one. */
export function requireLess(
  [smaller, smallerMs]: readonly [string, number],
  [larger, largerMs]: readonly [string, number],
  why: string,
): { smaller: string; larger: string; message: string } | undefined {
  if (smallerMs < largerMs) return undefined;
  const message = `${smaller} (${smallerMs} ms) must be shorter than ${larger} (${largerMs} ms), ${why}`;
  return { smaller, larger, message };
}
