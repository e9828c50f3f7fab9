import { z } from 'zod';
import { messageOf } from '../errors.ts';
import { BYTES_PATTERN, DURATION_PATTERN, parseBytes, parseDuration } from '../units-of-measure.ts';

/** The small words that the job file's schema is made of. No transforms: the file's form and its type are one. */

/** Text that can be an argument, a path or a variable: the system's calls end at a NUL. */
export const text = z.string().regex(/^[^\0]*$/, 'must not hold a NUL character');
export const filledText = text.min(1, 'must not be empty');
export const scalar = z.union([z.string(), z.number(), z.boolean()], {
  error: 'must be text, a number, true or false',
});

/** Ids and file names are made of it, so it is kept to what every system takes. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
export const jobName = z
  .string()
  .regex(NAME_PATTERN, 'must be 1 to 128 letters, digits, ".", "_" or "-", and begin with a letter or digit');

export const duration = z
  .string({ error: (issue) => explainNumber(issue.input, 'a duration', ['s', 'm']) })
  .refine(...readableBy(parseDuration))
  .meta({ pattern: DURATION_PATTERN.source, examples: ['90s', '10m', '2h30m', '1d'] });

export const size = z
  .string({ error: (issue) => explainNumber(issue.input, 'a size', ['GiB', 'MiB']) })
  .refine(...readableBy(parseBytes))
  .meta({ pattern: BYTES_PATTERN.source, examples: ['512MiB', '8GiB', '20GB'] });

/** Labels: short texts by short names. */
export const labelMap = z
  .record(
    filledText.max(128),
    z.string({ error: (issue) => explainUnquoted(issue.input, 'a label') }).max(1024),
    'must be a map of names and texts',
  )
  .meta({ examples: [{ project: 'apollo' }] });

export const oneOrMore = <T extends z.ZodType>(element: T) =>
  z.union([element, z.array(element).min(1, 'must name at least one')]);

/** The text for a value that looks right and lacks its quotes; undefined leaves it to the general text. */
export function explainUnquoted(input: unknown, what: string): string | undefined {
  if (typeof input !== 'number' && typeof input !== 'boolean') return undefined;
  return `${what} must be text, not ${typeof input === 'number' ? 'a number' : 'true or false'}; put it in quotes: {{source}}`;
}

function explainNumber(input: unknown, what: string, units: readonly [string, string]): string | undefined {
  if (typeof input !== 'number') return undefined;
  return `${what} needs its unit: write ${input}${units[0]} or ${input}${units[1]}`;
}

/** The check and its message for a text that `parse` must take. */
function readableBy(
  parse: (text: string) => number,
): [(text: string) => boolean, { error: (issue: { input?: unknown }) => string }] {
  const complaint = (input: string): string | undefined => {
    try {
      parse(input);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  };
  return [
    (input) => complaint(input) === undefined,
    { error: (issue) => complaint(String(issue.input)) ?? '' },
  ];
}
