import { InvalidArgumentError } from 'commander';
import { messageOf } from '../../shared/errors.ts';
import { parseBytes, parseDuration } from '../../shared/units-of-measure.ts';
import type { ValueKind } from './catalog/types.ts';

/** What options and arguments turn into. A wrong one throws what commander shows together with the option's name. */
export const OPTION_PARSERS: Readonly<Record<ValueKind, (text: string, before: unknown) => unknown>> = {
  count: (text) => parseNumber(text, { whole: true, least: 1 }),
  integer: (text) => parseNumber(text, { whole: true, least: -Infinity }),
  number: (text) => parseNumber(text, { whole: false, least: Number.MIN_VALUE }),
  duration: (text) => explained(() => parseDuration(text)),
  bytes: (text) => explained(() => parseBytes(text)),
  texts: (text, before) => [...((before as string[] | undefined) ?? []), text],
  labels: (text, before) => ({ ...(before as Record<string, string> | undefined), ...parseLabel(text) }),
  indices: (text, before) => [...((before as number[] | undefined) ?? []), ...parseIndices(text)],
};

function parseNumber(text: string, bounds: { whole: boolean; least: number }): number {
  const value = Number(text);
  const right =
    text.trim() !== '' &&
    Number.isFinite(value) &&
    value >= bounds.least &&
    (!bounds.whole || Number.isSafeInteger(value));
  if (right) return value;
  const least = bounds.least === 1 ? ' of 1 or more' : bounds.least > 0 ? ' above 0' : '';
  throw new InvalidArgumentError(`It must be a ${bounds.whole ? 'whole ' : ''}number${least}.`);
}

function parseLabel(text: string): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals > 0) return { [text.slice(0, equals)]: text.slice(equals + 1) };
  throw new InvalidArgumentError('Write KEY=VALUE.');
}

const LONGEST_RANGE = 1_000_000;

/** `3,7,10-19` → the numbers. */
export function parseIndices(text: string): number[] {
  return text.split(',').flatMap((part) => {
    const match = /^\s*(\d{1,9})(?:-(\d{1,9}))?\s*$/.exec(part);
    if (match?.[1] === undefined) throw new InvalidArgumentError('Write task indices like 3,7,10-19.');
    const from = Number(match[1]);
    const to = Number(match[2] ?? match[1]);
    if (to < from || to - from >= LONGEST_RANGE)
      throw new InvalidArgumentError(`${part.trim()} is no range of at most ${LONGEST_RANGE} tasks.`);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

function explained<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
}
