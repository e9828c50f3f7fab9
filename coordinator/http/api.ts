import { z } from 'zod';
import { jobSpecSchema, taskParamsSchema } from '../../shared/job-spec.ts';
import { POOL_MODES } from '../core/pool-mode.ts';
import { JOB_STATES, TASK_STATES } from '../../shared/task-state.ts';

/**
 * What the API takes and gives, as zod schemas: the server validates and documents with them, the CLI gets its types.
 *
 *   POST   /v1/jobs                      submitBody → submitReply            (201; 200 when the idempotency key was known)
 *                                        or application/x-ndjson: the spec, then a line for each task's parameters
 *   POST   /v1/jobs/check                checkBody → checkReply              nothing is submitted
 *   GET    /v1/jobs?state=&label=&name=&limit=&after=      → {jobs: jobView[], next?}     newest first
 *   GET    /v1/jobs/:job                 → jobView           (:job is an id, a unique prefix of one, or `last`)
 *   GET    /v1/jobs/:job/spec            → JobSpec
 *   GET    /v1/jobs/:job/wait?timeoutMs= → jobView           answers when the job is over, or when the time is
 *   POST   /v1/jobs/:job/cancel          cancelBody → {cancelled: n}
 *   POST   /v1/jobs/:job/release         → jobView           (a held job)
 *   POST   /v1/jobs/:job/publish         publishBody → publishReply            what could not be published: at once, or never
 *   POST   /v1/jobs/:job/retry           retryBody → submitReply
 *   GET    /v1/jobs/:job/events?after=&follow=  → {events: jobEvent[]}; with follow=1 NDJSON until the job is over
 *   GET    /v1/jobs/:job/tasks?state=&limit=&after=        → {tasks: taskView[], next?}   by index
 *   GET    /v1/jobs/:job/tasks/:index    → taskView with attempts
 *   GET    /v1/jobs/:job/tasks/:index/explain → explanation;   GET /v1/jobs/:job/explain → explanation of the job
 *   GET    /v1/jobs/:job/tasks/:index/logs/:stream?attempt=  → the bytes;  header `x-clobi-complete: 1` when nothing will follow
 *   GET    /v1/jobs/:job/outputs?after=&limit=  → {outputs: outputView[], next?}
 *   GET    /v1/objects/*?via=            → the bytes of a committed output or log (only keys a committed outcome names), or 307 to
 *                                          a URL of its store that gives them; ranges; via=coordinator: never a redirect
 *   POST   /v1/jobs/:job/follow          {on: boolean} → {}   agents upload log chunks while tasks run
 *   POST   /v1/inputs/missing            {sha256: string[]} → {missing: string[]}
 *   POST   /v1/inputs/uploads · …/sign · …/finish · …/abandon   straight to the store, where it can (http/uploads.ts)
 *   PUT    /v1/inputs/:sha256            bytes → {sha256, sizeBytes}   (422 when the hash differs)
 *   GET    /v1/agents · POST /v1/agents/:agent/drain        → {agents: agentView[]}
 *   GET    /v1/pools                     → {pools: poolView[]}
 *   POST   /v1/pools/:pool/pause|resume|drain|evacuate      → poolOrderReply
 *   POST   /v1/jobs/:job/move            moveBody → moveReply
 *   POST   /v1/pools/:pool/retry · POST /v1/pools/:pool/give-up → giveUpReply     (a pool that is dark)
 *   GET    /v1/status                    → statusView;   GET /healthz (no token) · GET /metrics · GET /openapi.json
 *
 * Every call but /healthz and /openapi.json carries `authorization: Bearer <token>`. An error is
 * `{error: {code, message, context}}` with the HTTP status of its code (shared/errors.ts).
 */
const time = z.number().int().describe('milliseconds since 1970');

export const submitBody = z.object({ spec: jobSpecSchema, items: z.array(taskParamsSchema).optional() });
/** Jobs that are to be submitted together, without their items and without the dependencies among themselves. */
export const checkBody = z.object({ specs: z.array(jobSpecSchema).min(1) });
export const checkReply = z.object({
  problems: z.array(z.object({ spec: z.number().int().describe('which, from 0'), message: z.string() })),
});
export const submitReply = z.object({ job: z.string(), tasks: z.number().int(), created: z.boolean() });
export const cancelBody = z.object({
  tasks: z.array(z.number().int()).optional(),
  reason: z.string().max(500).optional(),
});
export const moveBody = z.object({
  to: z.string().nullable().describe('a pool; null: wherever its placement allows'),
  pending: z.boolean().default(false).describe('leave alone what waits in the queue of another pool'),
});
/** Tasks not known to have begun, and the units they are in, that were asked back. */
const askedBack = z.object({ units: z.number().int(), tasks: z.number().int() });
export const moveReply = askedBack.extend({ job: z.string(), to: z.string().nullable() });
export const poolOrderReply = askedBack.extend({ pool: z.string(), mode: z.string() });
export const publishBody = z.object({ giveUp: z.boolean().default(false) });
/** `tasks`: whose files were on the way. */
export const publishReply = publishBody.extend({ job: z.string(), to: z.string(), tasks: z.number().int() });
export const retryBody = z.object({
  /** Which tasks; `failed` takes failed, lost and cancelled-by-failFast ones. */
  select: z.union([z.literal('failed'), z.array(z.number().int()).min(1)]),
  /** Changes to the spec, e.g. more memory. */
  resources: z
    .object({ cpus: z.number().positive().optional(), memoryBytes: z.number().int().positive().optional() })
    .optional(),
  idempotencyKey: z.string().optional(),
});

export const jobView = z.object({
  id: z.string(),
  name: z.string(),
  owner: z.string(),
  labels: z.record(z.string(), z.string()),
  priority: z.number(),
  state: z.enum(JOB_STATES),
  tasks: z.number().int(),
  counts: z.record(z.enum(TASK_STATES), z.number().int()),
  submittedAt: time,
  startedAt: time.nullable(),
  endedAt: time.nullable(),
  /** Mean run time of its tasks so far, and the expected end of the job; null while unknown. */
  meanTaskMs: z.number().nullable(),
  expectedEndAt: time.nullable(),
  cancelReason: z.string().nullable(),
  retryOf: z.string().nullable(),
  retriedBy: z.array(z.string()),
  held: z.boolean(),
  /** Where committed files go beside our store (`outputs.to`): tasks that are there, and that are on the way. */
  publish: z
    .object({
      to: z.string(),
      tasks: z.number().int(),
      waiting: z.number().int(),
      /** The first of those that could not be put there yet. */
      failure: z
        .object({
          tasks: z.number().int(),
          index: z.number().int(),
          message: z.string(),
          tries: z.number().int(),
          nextTryAt: time,
        })
        .nullable(),
    })
    .optional(),
  /** Its share of what providers were asked, and what that costs. */
  requests: z.object({
    count: z.number(),
    usd: z.number(),
    operations: z.record(z.string(), z.number()),
  }),
  movedTo: z.string().nullable().describe('the pool that a person moved it to; no other takes it'),
});

const attemptView = z.object({
  attempt: z.string(),
  unit: z.string(),
  pool: z.string(),
  agent: z.string().nullable(),
  run: z.string().nullable(),
  /** `superseded`: it came to an end that no longer counted. */
  result: z.enum(['open', 'succeeded', 'failed', 'lost', 'cancelled', 'returned', 'superseded']),
  reason: z.string().nullable(),
  message: z.string().nullable(),
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable(),
  dispatchedAt: time,
  startedAt: time.nullable(),
  endedAt: time.nullable(),
});

export const taskView = z.object({
  id: z.string(),
  job: z.string(),
  index: z.number().int(),
  state: z.enum(TASK_STATES),
  failures: z.number().int(),
  losses: z.number().int(),
  attempt: z.string().nullable(),
  run: z.string().nullable(),
  agent: z.string().nullable(),
  pool: z.string().nullable(),
  readyAt: time.nullable().describe('end of the backoff'),
  startedAt: time.nullable(),
  endedAt: time.nullable(),
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable(),
  reason: z.string().nullable(),
  message: z.string().nullable(),
  outputs: z.number().int().describe('number of committed output files'),
  attempts: z.array(attemptView).optional(),
});

export const jobEvent = z.object({
  seq: z.number().int(),
  at: time,
  type: z.string(),
  task: z.number().int().nullable(),
  text: z.string(),
});

export const explanation = z.object({
  /** One sentence. */
  summary: z.string(),
  /** The reasoning, most important first. */
  reasons: z.array(z.object({ code: z.string(), text: z.string() })),
  /** Per pool, the likeliest first: may it run there, and if not, which requirements rule it out. */
  pools: z.array(
    z.object({
      pool: z.string(),
      eligible: z.boolean(),
      ruledOutBy: z.array(z.string()),
      takesWork: z
        .boolean()
        .describe('false while a person ordered otherwise, or work is called back from it'),
      rank: z.number().int().nullable().describe('1: the next task goes there; null: none goes there'),
      expectedFinishMs: z
        .number()
        .nullable()
        .describe('when one more task would be done; null: no live agent'),
      pricePerCpuHour: z.number(),
      why: z.string(),
    }),
  ),
  queuePosition: z.number().int().nullable(),
  nextTryAt: time.nullable(),
});

export const outputView = z.object({
  index: z.number().int(),
  run: z.string(),
  pool: z.string().describe('whose store holds it'),
  path: z.string(),
  key: z.string(),
  sizeBytes: z.number().int(),
  sha256: z.string(),
});

export const agentView = z.object({
  agent: z.string(),
  pool: z.string(),
  boot: z.string(),
  state: z.enum(['live', 'draining', 'silent', 'gone']),
  host: z.string(),
  pid: z.number().int(),
  arch: z.string(),
  version: z.string(),
  isolation: z.string(),
  slots: z.number().int(),
  cpus: z.number(),
  memoryBytes: z.number(),
  gpus: z.number().int(),
  diskBytes: z.number().nullable(),
  labels: z.record(z.string(), z.string()),
  running: z.number().int(),
  units: z.number().int().describe('units it claims'),
  lastHeardAt: time,
  rejected: z
    .number()
    .int()
    .describe('messages of which it ran nothing: no unit of ours, or of a job that is over'),
});

const healthView = z.object({
  dark: z.boolean().describe('nothing new goes there'),
  since: time.nullable().describe('since when something needed has not worked; null while all works'),
  why: z.string().nullable(),
  operations: z.record(
    z.string(),
    z.object({
      state: z.enum(['ok', 'failing', 'open', 'stopped']),
      since: time,
      trouble: z.enum(['auth', 'quota', 'throttled', 'not-found', 'unreachable', 'bug']).nullable(),
      message: z.string().nullable(),
      nextTryAt: time.nullable(),
    }),
  ),
});

export const poolView = z.object({
  pool: z.string(),
  provider: z.string(),
  agents: z.number().int(),
  slots: z.number().int(),
  labels: z.record(z.string(), z.string()),
  outstandingTasks: z.number().int(),
  outstandingUnits: z.number().int(),
  queueDepth: z.number().int().nullable(),
  region: z.string().nullable(),
  pricePerCpuHour: z.number().describe('USD'),
  mode: z.enum(POOL_MODES).describe('what a person ordered'),
  modeSince: time.nullable(),
  comingBack: z.number().int().describe('units asked back and not back yet'),
  health: healthView,
  /** What its provider was asked, by us and its agents. */
  requests: z.object({ count: z.number(), usd: z.number(), operations: z.record(z.string(), z.number()) }),
});

export const giveUpReply = z.object({ pool: z.string(), units: z.number().int() });

export const statusView = z.object({
  version: z.string(),
  epoch: z.number().int(),
  startedAt: time,
  pid: z.number().int(),
  home: z.string(),
  tasks: z.record(z.enum(TASK_STATES), z.number().int()),
  jobs: z.number().int(),
});

export type CheckReply = z.infer<typeof checkReply>;
export type SubmitReply = z.infer<typeof submitReply>;
export type CancelBody = z.infer<typeof cancelBody>;
export type RetryBody = z.infer<typeof retryBody>;
export type JobView = z.infer<typeof jobView>;
export type AttemptView = z.infer<typeof attemptView>;
export type TaskView = z.infer<typeof taskView>;
export type JobEvent = z.infer<typeof jobEvent>;
export type Explanation = z.infer<typeof explanation>;
export type OutputView = z.infer<typeof outputView>;
export type AgentView = z.infer<typeof agentView>;
export type MoveBody = z.input<typeof moveBody>;
export type MoveReply = z.infer<typeof moveReply>;
export type PublishBody = z.input<typeof publishBody>;
export type PublishReply = z.infer<typeof publishReply>;
export type PoolOrderReply = z.infer<typeof poolOrderReply>;
export type GiveUpReply = z.infer<typeof giveUpReply>;
export type PoolView = z.infer<typeof poolView>;
export type StatusView = z.infer<typeof statusView>;
