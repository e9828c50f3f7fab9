import { z } from 'zod';
import type { AttemptId, JobId, PoolName, UnitId } from '../ids.ts';
import { jobSpecSchema, taskParamsSchema } from '../job-spec.ts';

/** The version of the unit's meaning; a reader refuses a higher one and ignores fields it does not know. */
export const UNIT_VERSION = 1;

/** One message carries at most this much ASCII JSON: what Azure takes raw once it is Base64. */
export const MAX_UNIT_BYTES = 48 * 1024;

const brand = <T>(schema: z.ZodString) => schema as unknown as z.ZodType<T>;

/** 1..K tasks of one job for one pool (DESIGN §4). */
export const unitBodySchema = z.object({
  v: z.number().int().min(1),
  ns: z.string().min(1),
  pool: brand<PoolName>(z.string().min(1)),
  unit: brand<UnitId>(z.string().min(1).max(64)),
  job: brand<JobId>(z.string().min(1).max(64)),
  /** Number of tasks in the whole job, for `CLOBI_TASK_COUNT`. */
  taskCount: z.number().int().min(1),
  /** Inline while small; else where it is and what it must hash to. */
  spec: z.union([
    z.object({ inline: jobSpecSchema }),
    z.object({ key: z.string().min(1), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ]),
  tasks: z
    .array(
      z.object({
        index: z.number().int().nonnegative(),
        attempt: brand<AttemptId>(z.string().min(1).max(32)),
        params: taskParamsSchema.optional(),
        /** Where the params are when they are too big for the message (claim check). */
        paramsAt: z.object({ key: z.string().min(1), sha256: z.string().regex(/^[0-9a-f]{64}$/) }).optional(),
      }),
    )
    .min(1),
  /** Milliseconds since 1970 by the coordinator's clock. */
  issuedAt: z.number().int(),
  notAfter: z.number().int(),
});

export type UnitBody = z.infer<typeof unitBodySchema>;
export type UnitTask = UnitBody['tasks'][number];
