import { z } from 'zod';

/**
 * A job as the coordinator keeps it and agents run it: the compiled form of a job file, with every
 * default filled in and every duration and size a number with its unit in the name. Stored once as the
 * immutable `jobs/<job>/spec.json`. Templates (`${{ … }}`) are still in it: they are rendered per task.
 */
const labels = z.record(z.string(), z.string());
const millis = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

/** A file that the store holds as `inputs/<sha256>`, put at `to` inside the work directory. */
const fileInputSchema = z.object({
  to: z.string().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: z.number().int().nonnegative(),
  executable: z.boolean().default(false),
  /** Unpack the archive (tar, tar.gz) into the directory `to` in place of putting it there as a file. */
  unpack: z.boolean().default(false),
  /** Where the bytes are when not at `inputs/<sha256>`: an output of an upstream task, in the same store. */
  key: z.string().min(1).optional(),
});

/** Committed outputs of an upstream job, brought as inputs: of the same index under `by: tasks`, else of every task. */
const upstreamInputSchema = z.object({
  /** A job this one depends on (same id as in `depends`). */
  job: z.string().min(1),
  glob: z.string().min(1),
  /** Directory inside the work directory. Of every task: `<to>/<index>/<path>`; of one: `<to>/<path>`. */
  to: z.string().default('.'),
});

/** A file that lies elsewhere: fetched once for the job, then an input like any other. `url` and `to` may hold templates. */
const remoteInputSchema = z.object({
  /** `s3://BUCKET/KEY`, `azblob://ACCOUNT/CONTAINER/KEY` or `https://…`. */
  url: z.string().min(1).max(4096),
  /** As in the job file; null: the last name of the URL. */
  to: z.string().min(1).nullable(),
  /** Null: what the first reading gives holds for all tasks. */
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  unpack: z.boolean(),
});

const outputSchema = z.object({
  /** A glob inside the work directory; may hold templates. */
  glob: z.string().min(1),
  when: z.enum(['success', 'failure', 'always']).default('success'),
  /** A required glob that matches nothing fails the task. */
  required: z.boolean().default(false),
});

const retryRuleSchema = z.object({
  /** All given conditions must hold. */
  exitCodes: z.array(z.number().int().min(0).max(255)).optional(),
  signals: z.array(z.string()).optional(),
  timeout: z.boolean().optional(),
  oom: z.boolean().optional(),
  action: z.enum(['retry', 'fail']),
});

const matrixSchema = z.object({
  /** Axis name → its values, in the order of the file; the last axis varies fastest. */
  axes: z.array(
    z.object({ name: z.string(), values: z.array(z.union([z.string(), z.number(), z.boolean()])) }),
  ),
  exclude: z.array(z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))),
  include: z.array(z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))),
});

const requirementSchema = z.object({
  pools: z.array(z.string()).optional(),
  providers: z.array(z.string()).optional(),
  regions: z.array(z.string()).optional(),
  archs: z.array(z.string()).optional(),
  labels: labels.optional(),
});

const dependencySchema = z.object({
  /** Job id. A file with several documents may name a job of the same file: resolved before submit. */
  job: z.string().min(1),
  /** `success`: every task succeeded; `end`: over in whatever way. */
  after: z.enum(['success', 'end']),
  /** `tasks`: index by index, task i waits for task i only. */
  by: z.enum(['job', 'tasks']),
});

export const jobSpecSchema = z.object({
  v: z.literal(1),
  name: z.string().min(1).max(128),
  description: z.string().default(''),
  labels: labels.default({}),
  owner: z.string().min(1),
  priority: z.number().int().min(-1000).max(1000).default(0),
  idempotencyKey: z.string().min(1).max(256).optional(),

  /**
   * What the tasks are. `count`: nothing but an index. `matrix`: computed from the index. `items`:
   * a record per task, kept beside the spec (`jobs/<job>/items.ndjson`), because there may be a million.
   * `pick`: only these indices of the job named (`clobi job retry`), with the same parameters.
   */
  tasks: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('count'), count: z.number().int().min(1) }),
    z.object({ kind: z.literal('matrix'), count: z.number().int().min(1), matrix: matrixSchema }),
    z.object({ kind: z.literal('items'), count: z.number().int().min(1) }),
  ]),
  /** Set on a job made by `clobi job retry`: it runs only `indices` of the task set above. */
  retryOf: z.object({ job: z.string(), indices: z.array(z.number().int().nonnegative()) }).optional(),

  /** Exactly one of the two. A script goes to `shell` as a file. */
  command: z.array(z.string()).min(1).nullable(),
  script: z.string().nullable(),
  shell: z.array(z.string()).min(1).default(['/bin/sh', '-eu']),
  /** Text, or a path inside the work directory once inputs are there; null: empty. */
  stdin: z
    .union([z.object({ text: z.string() }), z.object({ path: z.string() })])
    .nullable()
    .default(null),
  env: z.record(z.string(), z.string()).default({}),
  inputs: z.array(fileInputSchema).default([]),
  upstreamInputs: z.array(upstreamInputSchema).default([]),
  /** Without a default: specs of before there were any keep their hash. */
  remoteInputs: z.array(remoteInputSchema).optional(),
  outputs: z.array(outputSchema).default([]),
  /** Where committed files are put beside our own store, as `<index>/<path>`: `s3://…`, `azblob://…` or `file:/…`. */
  publish: z.string().min(1).max(4096).optional(),

  resources: z.object({
    cpus: z.number().positive().default(1),
    memoryBytes: z.number().int().positive().nullable().default(null),
    diskBytes: z.number().int().positive().nullable().default(null),
    gpus: z.number().int().nonnegative().default(0),
  }),
  timeout: z.object({
    runMs: millis.nullable().default(null),
    /** Longest time from submit to start; over it the task is cancelled. */
    queueMs: millis.nullable().default(null),
    graceMs: millis.default(10_000),
  }),
  retry: z.object({
    limit: z.number().int().min(0).max(1000).default(0),
    lost: z.number().int().min(0).max(1000).default(3),
    backoff: z.object({ initialMs: millis, factor: z.number().min(1), maxMs: millis }),
    rules: z.array(retryRuleSchema).default([]),
  }),
  maxParallel: z.number().int().positive().nullable().default(null),
  /** Cancel what is left when so many (or such a part of all) tasks have failed. */
  failFast: z
    .union([
      z.object({ count: z.number().int().positive() }),
      z.object({ percent: z.number().positive().max(100) }),
    ])
    .nullable()
    .default(null),
  depends: z.array(dependencySchema).default([]),
  placement: z.object({
    require: requirementSchema.default({}),
    prefer: requirementSchema.default({}),
  }),
  hold: z.boolean().default(false),
  /** How long results and logs are kept after the job's end; null: for ever. */
  retention: z.object({
    resultsMs: millis.nullable().default(null),
    logsMs: millis.nullable().default(null),
  }),
});

/** One task's own values: what templates and staged files take from it. */
export const taskParamsSchema = z.object({
  item: z.union([z.string(), z.number(), z.boolean(), z.record(z.string(), z.unknown())]).optional(),
  matrix: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  /** Files of this task alone (an input whose path holds a template), beside the spec's own. */
  inputs: z.array(fileInputSchema).optional(),
});

export type JobSpec = z.infer<typeof jobSpecSchema>;
export type TaskParams = z.infer<typeof taskParamsSchema>;
export type FileInput = z.infer<typeof fileInputSchema>;
export type RemoteInput = z.infer<typeof remoteInputSchema>;
export type UpstreamInput = z.infer<typeof upstreamInputSchema>;
export type OutputRule = z.infer<typeof outputSchema>;
export type RetryRule = z.infer<typeof retryRuleSchema>;
export type Matrix = z.infer<typeof matrixSchema>;
export type Requirement = z.infer<typeof requirementSchema>;

/** What the submitter sends: the spec and, for `items`, the records by index. */
export interface Submission {
  spec: JobSpec;
  items?: TaskParams[];
}
