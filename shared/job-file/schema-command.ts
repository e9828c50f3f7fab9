import { z } from 'zod';
import { explainUnquoted, filledText, text } from './schema-parts.ts';

/** What a task is: program or script, standard input, variables. */

export const command = z
  .array(text.min(1, 'must not be empty'), { error: (issue) => explainCommandText(issue.input) })
  .min(1, 'must name a program')
  .describe(
    'The program and its arguments, one by one; no shell takes part. Exactly one of `command` and `script`. ' +
      'May hold templates: `${{ item }}`, `${{ matrix.x }}`, `${{ task.index }}`, `${{ task.count }}`, `${{ task.id }}`, ' +
      '`${{ job.name }}`, `${{ job.id }}`; `$${{` stands for a plain `${{`.',
  )
  .meta({ examples: [['gzip', '-9', '${{ item }}']] });

export const shell = z
  .union(
    [
      z.string().regex(/^\S+$/, 'must be one word; with arguments write a list: ["/bin/bash", "-x"]'),
      z.array(filledText).min(1, 'must name a program'),
    ],
    {
      error: 'must be a name such as bash, or a list such as ["/bin/bash", "-euo", "pipefail"]',
    },
  )
  .describe(
    'What runs `script`: a name, or a program with its arguments, which gets the script as a file. Default: /bin/sh -eu.',
  )
  .meta({ examples: ['bash', ['/bin/bash', '-euo', 'pipefail']] });

export const stdin = z
  .union(
    [
      text,
      z.strictObject({ text: text.describe('The very text.') }),
      z.strictObject({
        path: filledText.describe('A file inside the work directory, once the inputs are there.'),
      }),
    ],
    { error: 'must be text, {text: …} or {path: …}' },
  )
  .describe(
    'Standard input: a text, or `{path: file}` inside the work directory. Without it standard input is empty.',
  )
  .meta({ examples: ['one line\n', { path: 'data.txt' }] });

export const env = z
  .record(
    z
      .string()
      .regex(/^[^\0=]+$/, 'a variable’s name must not be empty nor hold "="')
      .regex(/^(?!CLOBI_)/, 'names that begin with CLOBI_ are set by Clobi'),
    z
      .string({ error: (issue) => explainUnquoted(issue.input, 'a variable') })
      .regex(/^[^\0]*$/, 'must not hold a NUL character'),
  )
  .describe(
    'Environment variables. Values are text: numbers, true and false must be in quotes. May hold templates.',
  )
  .meta({ examples: [{ PORT: '8080', MODE: '${{ matrix.mode }}' }] });

/** A command given as one text is the commonest mistake: show it as it should be. */
function explainCommandText(input: unknown): string | undefined {
  if (typeof input !== 'string') return undefined;
  const words = input.split(/\s+/).filter((word) => word !== '');
  const plain = words.length > 0 && !/["'`$|&;<>()*?\\~#]/.test(input);
  const vector = plain ? JSON.stringify(words) : '["program", "argument"]';
  return `must be a list of words: command: ${vector}; for a line that a shell shall read, use script:`;
}
