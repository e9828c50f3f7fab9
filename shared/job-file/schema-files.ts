import { z } from 'zod';
import { filledText } from './schema-parts.ts';

/** Files brought to a task and kept of it. */

const destination = filledText.describe(
  'Where in the work directory. Ends in "/": a directory. Default: as written (outside of the job file’s directory: the last name).',
);
export const input = z
  .union(
    [
      filledText,
      z.strictObject({
        path: filledText
          .describe('A file or directory, from the job file’s directory; taken literally.')
          .optional(),
        url: filledText
          .describe(
            '`s3://BUCKET/KEY`, `azblob://ACCOUNT/CONTAINER/KEY` or `https://…`: read once for the job by the coordinator, with its own rights.',
          )
          .optional(),
        glob: filledText.describe('Files by pattern: `*`, `**`, `?`, `{a,b}`, `[a-z]`.').optional(),
        fromJob: filledText
          .describe('Outputs of a job that this one depends on; `glob` says which.')
          .optional(),
        to: destination.optional(),
        sha256: z
          .string()
          .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits in lower case')
          .optional()
          .describe('What the file must hash to; refused otherwise.'),
        unpack: z.boolean().optional().describe('Unpack the archive (tar, tar.gz) into the directory `to`.'),
      }),
    ],
    { error: 'must be a path, or a map with path, glob, url or fromJob' },
  )
  .meta({
    examples: ['data/in.csv', 'src/', '*.py', { path: 'a.tar.gz', unpack: true, to: 'a/' }, 's3://b/in.csv'],
  });

export const output = z.union(
  [
    filledText,
    z.strictObject({
      glob: filledText.describe('Files inside the work directory.'),
      when: z
        .enum(['success', 'failure', 'always'])
        .optional()
        .describe('After which end it is kept. Default success.'),
      required: z.boolean().optional().describe('No match fails the task. Default false.'),
    }),
  ],
  { error: 'must be a glob, or a map with glob, when and required' },
);

export const outputs = z
  .union(
    [
      z.array(output),
      z.strictObject({
        files: z.array(output).describe('As in the plain list.'),
        to: filledText
          .describe(
            'A place of yours, `s3://BUCKET/PREFIX`, `azblob://ACCOUNT/CONTAINER/PREFIX` or `file:/DIRECTORY`: every finished task’s files are put there as INDEX/PATH.',
          )
          .optional(),
      }),
    ],
    { error: 'must be a list of globs, or a map with files and to' },
  )
  .describe('Files that are kept when a task ends, as globs inside the work directory. May hold templates.');
