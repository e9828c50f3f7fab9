import { z } from 'zod';
import type { AgentId, AttemptId, BootId, JobId, PoolName, RunId, UnitId } from '../ids.ts';

export const EVENT_VERSION = 1;

const brand = <T>(schema: z.ZodString) => schema as unknown as z.ZodType<T>;
const name = z.string().min(1).max(256);

/** What one stream of a run printed: inline while short, else `chunks` objects `logs/…/<stream>.<number>`. */
const logRefSchema = z.object({
  bytes: z.number().int().nonnegative(),
  inline: z.string().optional(),
  chunks: z.number().int().nonnegative().optional(),
});

const outputFileSchema = z.object({
  /** Relative to the work directory, `/`-separated. */
  path: z.string().min(1),
  key: z.string().min(1),
  sizeBytes: z.number().int().nonnegative(),
  sha256: z.string(),
});

/** An agent's report on one run. `reason` says why it is not a success. Times by the agent's clock. */
export const outcomeSchema = z.object({
  job: brand<JobId>(name),
  index: z.number().int().nonnegative(),
  attempt: brand<AttemptId>(name),
  run: brand<RunId>(name),
  unit: brand<UnitId>(name),
  agent: brand<AgentId>(name),
  boot: brand<BootId>(name),
  result: z.enum(['succeeded', 'failed', 'cancelled']),
  /**
   * `exit` non-zero code · `signal` · `timeout` · `oom` · `input` could not be staged · `output` missing or
   * refused · `start` the command could not be started · `cancelled` by a revoke · `internal` agent's own failure.
   */
  reason: z
    .enum(['exit', 'signal', 'timeout', 'oom', 'input', 'output', 'start', 'cancelled', 'internal'])
    .nullable(),
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable(),
  message: z.string().max(4096).nullable(),
  startedAt: z.number().int(),
  endedAt: z.number().int(),
  cpuMs: z.number().nullable().optional(),
  maxRssBytes: z.number().nullable().optional(),
  outputs: z.array(outputFileSchema),
  stdout: logRefSchema,
  stderr: logRefSchema,
});

const capacitySchema = z.object({
  slots: z.number().int().positive(),
  cpus: z.number().positive(),
  memoryBytes: z.number().int().positive(),
  gpus: z.number().int().nonnegative(),
  /** Absent: not known, and so not counted. */
  diskBytes: z.number().int().nonnegative().optional(),
});

const eventSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    host: z.string(),
    pid: z.number().int(),
    arch: z.string(),
    version: z.string(),
    capacity: capacitySchema,
    labels: z.record(z.string(), z.string()),
    /** What keeps tasks apart and bounded here: e.g. `pid-namespace+cgroup`, `process-group`. */
    isolation: z.string(),
  }),
  /** Claims: every unit whose message this boot has received and not yet deleted (R4). */
  z.object({
    type: z.literal('heartbeat'),
    claims: z.array(brand<UnitId>(name)),
    running: z.number().int(),
    freeSlots: z.number().int(),
    /**
     * Requests to the cloud since this boot began, by operation as the cloud names it: `sqs:ReceiveMessage`. Nonsense is none:
     * what is only counted must not cost the claims beside it.
     */
    requests: z.record(z.string().max(128), z.number().int().nonnegative()).optional().catch(undefined),
  }),
  z.object({
    type: z.literal('started'),
    unit: brand<UnitId>(name),
    tasks: z.array(
      z.object({
        index: z.number().int(),
        attempt: brand<AttemptId>(name),
        run: brand<RunId>(name),
        at: z.number().int(),
      }),
    ),
  }),
  /** The outcomes written in `segment`; `outcomes` is null where they do not fit a message: read the segment. */
  z.object({ type: z.literal('outcome'), segment: z.string(), outcomes: z.array(outcomeSchema).nullable() }),
  /** `notBegun`: the indices of this unit that this agent did not start. */
  z.object({
    type: z.literal('returned'),
    unit: brand<UnitId>(name),
    receiveCount: z.number().int(),
    why: z.enum(['redelivered', 'recent', 'revoked', 'recalled', 'expired', 'draining', 'unfit', 'internal']),
    notBegun: z.array(z.number().int()),
  }),
  z.object({ type: z.literal('draining') }),
  z.object({ type: z.literal('goodbye') }),
  /** A message that was no unit for this pool, or a copy of one whose job is over: nothing ran; counted and shown. */
  z.object({ type: z.literal('rejected'), why: z.string(), sample: z.string().max(512) }),
]);

export const eventBatchSchema = z.object({
  v: z.number().int().min(1),
  ns: z.string(),
  pool: brand<PoolName>(name),
  agent: brand<AgentId>(name),
  boot: brand<BootId>(name),
  /** Grows by one a batch within a boot: the highest decides what the boot claims (R7). Bounded so that places stay exact. */
  seq: z
    .number()
    .int()
    .nonnegative()
    .lt(2 ** 33),
  sentAt: z.number().int(),
  events: z.array(eventSchema),
});

export type LogRef = z.infer<typeof logRefSchema>;
export type OutputFile = z.infer<typeof outputFileSchema>;
export type Outcome = z.infer<typeof outcomeSchema>;
export type Capacity = z.infer<typeof capacitySchema>;
export type AgentEvent = z.infer<typeof eventSchema>;
export type EventBatch = z.infer<typeof eventBatchSchema>;
