import { z } from 'zod';

export const OVER_MARK_VERSION = 1;

/**
 * What `jobs/<job>/over.json` says: the job is over, as a coordinator of this epoch saw it. It speaks of units of this epoch and of
 * those before. One of a higher epoch has been dispatched by somebody who knew better: after a rebuild, say, that never saw
 * the end.
 */
export const overMarkSchema = z.object({
  v: z.number().int().min(1).max(OVER_MARK_VERSION),
  epoch: z.number().int().nonnegative(),
  /** Milliseconds since 1970 by the coordinator's clock. */
  endedAt: z.number().int(),
});

export type OverMark = z.infer<typeof overMarkSchema>;
