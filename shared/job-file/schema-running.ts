import { z } from 'zod';
import { duration, filledText, labelMap, oneOrMore, size } from './schema-parts.ts';

/** Where, when and how often tasks run. */

export const resources = z
  .strictObject({
    cpus: z
      .number()
      .positive('must be above 0')
      .max(4096)
      .optional()
      .describe('Processors a task needs; parts such as 0.5 are fine. Default 1.'),
    memory: size.optional().describe('Memory a task gets; over it the task is ended as out of memory.'),
    disk: size
      .optional()
      .describe('Disk that is set aside for a task on its machine; more is not prevented.'),
    gpus: z.int().min(0).max(64).optional().describe('Default 0.'),
  })
  .meta({ examples: [{ cpus: 2, memory: '8GiB' }] });

export const timeout = z
  .union(
    [
      duration,
      z.strictObject({
        run: duration.optional().describe('Longest run of one attempt.'),
        queue: duration
          .optional()
          .describe('Longest time from submit to start; over it the task is cancelled.'),
        grace: duration.optional().describe('Time between TERM and KILL. Default 10s.'),
      }),
    ],
    { error: (issue) => explainTimeout(issue.input) },
  )
  .describe('A duration alone is the longest run.')
  .meta({ examples: ['10m', { run: '2h', queue: '1d', grace: '30s' }] });

const exitCode = z.int('must be a whole number from 1 to 255').min(1).max(255);
const exitCodeRange = z.string().regex(/^\d{1,3}(-\d{1,3})?$/, 'must be a code, or a range such as "64-78"');
const exitCodes = z.union(
  [
    exitCode,
    exitCodeRange,
    z
      .array(
        z.union([exitCode, exitCodeRange], {
          error: 'must be a code such as 75, or a range such as "64-78"',
        }),
      )
      .min(1),
  ],
  { error: 'must be a list of codes and ranges: [75, "100-110"]' },
);

const rule = z.strictObject({
  exitCodes: exitCodes.optional().describe('Codes and ranges: [75, "64-78"].'),
  signals: z.array(filledText).min(1).optional().describe('Names of signals: [SIGKILL].'),
  timeout: z.literal(true, 'must be true where given').optional().describe('It ran longer than timeout.run.'),
  oom: z.literal(true, 'must be true where given').optional().describe('It was out of memory.'),
  action: z.enum(['retry', 'fail']).describe('What follows when all conditions given here hold.'),
});

const tries = z.int().min(0).max(1000);
export const retry = z
  .union(
    [
      tries,
      z.strictObject({
        limit: tries.optional().describe('How often a failed task is tried again. Default 0.'),
        lost: tries
          .optional()
          .describe(
            'How often a task is begun again when its machine was lost. 0: never start it twice. Default 3.',
          ),
        backoff: z
          .strictObject({
            initial: duration.optional().describe('Default 1s.'),
            factor: z.number().min(1).max(100).optional().describe('Default 2.'),
            max: duration.optional().describe('Default 5m.'),
          })
          .optional()
          .describe('The pause before a retry: a random part of initial × factor^n, at most max.'),
        rules: z
          .array(rule)
          .max(100)
          .optional()
          .describe('The first rule that fits decides; where none fits, `limit` does.'),
      }),
    ],
    { error: 'must be a number of retries, or a map with limit, lost, backoff and rules' },
  )
  .describe('A number alone is `limit`.')
  .meta({ examples: [3, { limit: 5, rules: [{ exitCodes: [65], action: 'fail' }] }] });

export const dependency = z
  .union(
    [
      filledText,
      z.strictObject({
        job: filledText.describe('The name of a job in this file, or the id of any job.'),
        after: z
          .enum(['success', 'end'])
          .optional()
          .describe('Every task succeeded, or it is over in whatever way. Default success.'),
        by: z.enum(['job', 'tasks']).optional().describe('tasks: task i waits for task i only. Default job.'),
      }),
    ],
    { error: 'must be the name of a job, or a map with job, after and by' },
  )
  .meta({ examples: ['simulate', { job: 'simulate', after: 'end', by: 'tasks' }] });

const choice = {
  pool: oneOrMore(filledText).optional().describe('Names of pools.'),
  provider: oneOrMore(filledText).optional().describe('Kinds of pools: local, aws, azure.'),
  region: oneOrMore(filledText).optional().describe('Regions of the cloud.'),
  arch: oneOrMore(z.enum(['x64', 'arm64', 'amd64', 'x86_64', 'aarch64']))
    .optional()
    .describe('Kinds of processor.'),
  labels: labelMap.optional().describe('Labels that a pool must have.'),
};
export const placement = z
  .strictObject({
    ...choice,
    require: z
      .strictObject(choice)
      .optional()
      .describe('Only where all of it holds. The same as writing it without `require`.'),
    prefer: z.strictObject(choice).optional().describe('Rather where it holds, but anywhere else too.'),
  })
  .describe('Where tasks may run.')
  .meta({ examples: [{ arch: 'arm64', prefer: { region: ['eu-central-1', 'eu-west-1'] } }] });

export const failFast = z
  .union(
    [
      z.int().min(1),
      z
        .string()
        .regex(/^(100|\d{1,2})(\.\d+)?%$/, 'must be a number of tasks, or a percentage such as "10%"'),
    ],
    {
      error: 'must be a number of tasks, or a percentage such as "10%"',
    },
  )
  .describe('Cancel what is left once so many tasks, or such a part of all, have failed.')
  .meta({ examples: [1, '10%'] });

function explainTimeout(input: unknown): string | undefined {
  if (typeof input === 'number') return `a duration needs its unit: write ${input}s or ${input}m`;
  return 'must be a duration such as 10m, or a map with run, queue and grace';
}
