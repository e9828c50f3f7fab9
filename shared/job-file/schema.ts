import { z } from 'zod';
import { command, env, shell, stdin } from './schema-command.ts';
import { input, outputs } from './schema-files.ts';
import { duration, filledText, jobName, labelMap, text } from './schema-parts.ts';
import { dependency, failFast, placement, resources, retry, timeout } from './schema-running.ts';
import { array, matrix } from './schema-tasks.ts';

/**
 * The job file. This one schema gives the TypeScript types, the validation and the published JSON Schema; what
 * it cannot say (one of two fields, names that must exist) is in `rules.ts`.
 */

export const jobFileSchema = z
  .strictObject({
    apiVersion: z.literal('clobi/v1', 'must be clobi/v1').describe('The version of this form of file.'),
    kind: z.literal('Job', 'must be Job').optional().describe('The only kind there is.'),
    name: jobName.optional().describe('Default: the name of the file.'),
    description: z.string().max(10_000).optional().describe('For people.'),
    labels: labelMap.optional().describe('For finding jobs again.'),
    owner: filledText
      .max(128)
      .optional()
      .describe('Whose share the job counts to. Default: the user who submits it.'),
    priority: z.int().min(-1000).max(1000).optional().describe('Higher goes first. Default 0.'),
    idempotencyKey: filledText
      .max(256)
      .optional()
      .describe('A second submit with the same key returns the first job.'),
    command: command.optional(),
    script: text
      .min(1, 'must not be empty')
      .optional()
      .describe('Lines for the shell. May hold templates; safer to pass values by `env`.'),
    shell: shell.optional(),
    stdin: stdin.optional(),
    env: env.optional(),
    array: array.optional(),
    matrix: matrix.optional(),
    inputs: z
      .array(input)
      .optional()
      .describe(
        'Files that are in the work directory when a task begins. A path that holds a template is for its own task.',
      ),
    outputs: outputs.optional(),
    resources: resources.optional().describe('What one task needs.'),
    timeout: timeout.optional(),
    retry: retry.optional(),
    maxParallel: z.int().min(1).optional().describe('At most so many tasks at a time.'),
    failFast: failFast.optional(),
    depends: z.array(dependency).optional().describe('Jobs that must be over before this one begins.'),
    placement: placement.optional(),
    hold: z.boolean().optional().describe('Take the job and start nothing until it is released.'),
    retention: z
      .strictObject({ results: duration.optional(), logs: duration.optional() })
      .optional()
      .describe('How long results and logs are kept after the end. Default: until removed.'),
  })
  .meta({
    title: 'Clobi job file',
    description: 'One job of Clobi: a command, its inputs and outputs, and 1 to N tasks.',
    oneOf: [{ required: ['command'] }, { required: ['script'] }],
    not: { required: ['array', 'matrix'] },
    examples: [{ apiVersion: 'clobi/v1', name: 'hello', command: ['echo', 'hello'] }],
  });

export type JobFile = z.infer<typeof jobFileSchema>;
type FileOutput = Extract<NonNullable<JobFile['outputs']>, unknown[]>[number];

/** The rules, each with its place in the file, whichever way the list is written. */
export function outputEntries({ outputs }: JobFile): { path: PropertyKey[]; output: FileOutput }[] {
  const isList = Array.isArray(outputs);
  const list = isList ? outputs : (outputs?.files ?? []);
  // Wrong elements may have left holes, which `flatMap` passes over.
  return list.flatMap((output, index) => [
    { path: isList ? ['outputs', index] : ['outputs', 'files', index], output },
  ]);
}

/** Where finished tasks' files are to be put beside our own store. */
export const publishPlace = ({ outputs }: JobFile): string | undefined =>
  Array.isArray(outputs) ? undefined : outputs?.to;
export type FileMatrix = NonNullable<JobFile['matrix']>;
export type FilePlacement = NonNullable<JobFile['placement']>;
