import { ClobiError } from './errors.ts';

/** Sizes and times as people write them. In the program they are numbers with the unit in the name. */

const BYTES_OF_UNIT = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  PB: 1e15,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  PiB: 2 ** 50,
} as const;
type ByteUnit = keyof typeof BYTES_OF_UNIT;

const MS_OF_UNIT = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
type TimeUnit = keyof typeof MS_OF_UNIT;
const TIME_UNITS: readonly TimeUnit[] = ['d', 'h', 'm', 's', 'ms'];

/** What both the parsers below and the published JSON Schema take. */
export const BYTES_PATTERN = /^\d+(\.\d+)?( ?([kKMGTP]B|[KMGTP]iB|B))?$/;
export const DURATION_PATTERN = /^(?=.)(\d+(\.\d+)?d)?(\d+(\.\d+)?h)?(\d+(\.\d+)?m)?(\d+(\.\d+)?s)?(\d+ms)?$/;

/**
 * Bytes of a size such as `8GiB`, `500MB`, `1.5 TiB` or `1024` (bytes). KiB, MiB, GiB count in 1024, KB, MB, GB
 * in 1000. Throws `USAGE` with what is right.
 */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text.trim());
  if (match?.[1] === undefined) throw wrongSize(text, 'Write a number and a unit: 512MiB, 8GiB, 500MB.');
  const unit = match[2] ?? '';
  if (unit !== '' && !isByteUnit(unit)) throw wrongSize(text, hintForByteUnit(match[1], unit));
  const bytes = Math.round(Number(match[1]) * (unit === '' ? 1 : BYTES_OF_UNIT[unit]));
  if (!Number.isSafeInteger(bytes)) throw wrongSize(text, 'It is more than 8 PiB.');
  return bytes;
}

/** Milliseconds of a time such as `90s`, `10m`, `2h30m`, `1d`, `1.5h` or `500ms`. Throws `USAGE` with what is right. */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  if (!DURATION_PATTERN.test(trimmed)) throw wrongTime(text, hintForTime(trimmed));
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)([a-z]+)/g)) {
    total += Number(amount) * MS_OF_UNIT[unit as TimeUnit];
  }
  const ms = Math.round(total);
  if (!Number.isSafeInteger(ms)) throw wrongTime(text, 'It is longer than can be counted.');
  return ms;
}

/** `8GiB`, `1.5KiB`, `1000B`: in 1024s, with at most one decimal. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
  let unit = 0;
  let value = bytes;
  // 1023.95 and more would be printed as 1024.0.
  while (unit < units.length - 1 && value >= 1023.95) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 ? String(Math.round(value)) : value.toFixed(1).replace(/\.0$/, '');
  return `${digits}${units[unit] ?? 'B'}`;
}

/** `2h30m`, `500ms`, `0s`: exact; with `parts`, only the so many biggest units, cut off downwards. */
export function formatDuration(ms: number, parts = TIME_UNITS.length): string {
  let left = Math.max(0, Math.round(ms));
  const words: string[] = [];
  let begun = 0;
  for (const unit of TIME_UNITS) {
    const amount = Math.floor(left / MS_OF_UNIT[unit]);
    if (amount > 0 || begun > 0) begun += 1;
    if (begun > parts) break;
    if (amount > 0) words.push(`${amount}${unit}`);
    left -= amount * MS_OF_UNIT[unit];
  }
  return words.length === 0 ? '0s' : words.join('');
}

const isByteUnit = (unit: string): unit is ByteUnit => Object.hasOwn(BYTES_OF_UNIT, unit);

function hintForByteUnit(amount: string, unit: string): string {
  const same = Object.keys(BYTES_OF_UNIT).filter((known) => known.toLowerCase() === unit.toLowerCase());
  if (same.length > 0) return `Write ${same.map((known) => amount + known).join(' or ')}.`;
  const letter = /^([kmgtp])i?$/i.exec(unit)?.[1]?.toUpperCase();
  if (letter !== undefined) return `Write ${amount}${letter}iB (in 1024s) or ${amount}${letter}B (in 1000s).`;
  return `There is no unit "${unit}"; write KiB, MiB, GiB, TiB or KB, MB, GB, TB.`;
}

function hintForTime(text: string): string {
  if (/^\d+(\.\d+)?$/.test(text))
    return `The unit is missing: write ${text}s for seconds or ${text}m for minutes.`;
  const short = shortenTimeWords(text);
  if (short !== text && DURATION_PATTERN.test(short)) return `Write ${short}.`;
  return 'Write numbers with d, h, m, s or ms, the biggest unit first: 90s, 10m, 2h30m, 1d.';
}

function shortenTimeWords(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[\s,]+/g, '')
    .replaceAll(/millis(econds?)?/g, 'ms')
    .replaceAll(/days?/g, 'd')
    .replaceAll(/hours?|hrs?/g, 'h')
    .replaceAll(/minutes?|mins?/g, 'm')
    .replaceAll(/seconds?|secs?/g, 's');
}

const shown = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
const wrongSize = (text: string, hint: string): ClobiError =>
  new ClobiError('USAGE', `${shown(text)} is not a size. ${hint}`);
const wrongTime = (text: string, hint: string): ClobiError =>
  new ClobiError('USAGE', `${shown(text)} is not a duration. ${hint}`);
