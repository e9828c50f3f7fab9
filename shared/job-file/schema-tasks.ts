import { z } from 'zod';
import { filledText, scalar } from './schema-parts.ts';

/** Many tasks from one job: by a list (`array`) or by combinations (`matrix`). */

const item = z.union([z.string(), z.number(), z.boolean(), z.record(z.string(), z.unknown())], {
  error: 'must be text, a number or a map',
});

export const array = z
  .strictObject({
    count: z
      .int()
      .min(1)
      .optional()
      .describe('So many tasks that differ in nothing but `${{ task.index }}`, from 0.'),
    items: z
      .array(item)
      .min(1, 'must have at least one item')
      .optional()
      .describe('One task an item: `${{ item }}`, or `${{ item.field }}` where items are maps.'),
    fromFile: filledText
      .optional()
      .describe('A file with one item a line, beside the job file. Empty lines are no items.'),
    format: z
      .enum(['lines', 'jsonl'])
      .optional()
      .describe(
        'Of `fromFile`: each line is a text (`lines`) or a JSON value (`jsonl`). Default: by its name, *.jsonl or *.ndjson.',
      ),
    glob: filledText
      .optional()
      .describe(
        'One task for each file found, in the order of their names; `${{ item }}` is the path. List it in `inputs` to bring it.',
      ),
  })
  .describe(
    'Many tasks by a list. Exactly one of count, items, fromFile and glob; not together with `matrix`.',
  )
  .meta({
    examples: [{ count: 1000 }, { items: ['a', 'b'] }, { fromFile: 'lines.txt' }, { glob: 'data/*.csv' }],
  });

const range = z.strictObject({
  range: z
    .strictObject({
      from: z.number().describe('The first value.'),
      to: z.number().describe('The last value, included when a step falls on it.'),
      step: z.number().optional().describe('Default 1, or -1 when `to` is below `from`.'),
    })
    .describe('Numbers from … to, both included.'),
});

const combination = z.record(z.string(), scalar);

export const matrix = z
  .object({
    exclude: z
      .array(combination)
      .optional()
      .describe(
        'Combinations that are left out; an entry that names some axes leaves out every combination with these values.',
      ),
    include: z
      .array(combination)
      .optional()
      .describe('Combinations added after all others; each entry gives a value to every axis.'),
  })
  .catchall(
    z.union([z.array(scalar).min(1, 'must have at least one value'), range], {
      error: 'must be a list of values or {range: {from, to, step}}',
    }),
  )
  .describe(
    'Many tasks by every combination of the axes’ values; the last axis varies fastest. Values: `${{ matrix.axis }}`.',
  )
  .meta({
    examples: [{ size: [1, 10], seed: { range: { from: 1, to: 5 } }, exclude: [{ size: 10, seed: 5 }] }],
  });
