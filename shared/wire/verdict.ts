import { z } from 'zod';

/**
 * One line of a verdict object: the final state of one task, or of a whole range of tasks that ended alike
 * without ever having been dispatched (a cancelled job). `run` is the run whose result is visible.
 */
export const verdictSchema = z.object({
  job: z.string(),
  index: z.number().int().nonnegative(),
  /** Inclusive end of the range; absent for a single task. */
  to: z.number().int().nonnegative().optional(),
  state: z.enum(['succeeded', 'failed', 'cancelled', 'lost']),
  run: z.string().nullable(),
  reason: z.string().nullable(),
  at: z.number().int(),
});

export type Verdict = z.infer<typeof verdictSchema>;
