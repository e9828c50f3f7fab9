import { z } from 'zod';

export const CONTROL_VERSION = 1;

/** The control document of a pool, `control/<pool>.json`: what agents must drop, stop or do. */
export const controlSchema = z.object({
  v: z.number().int().min(1),
  /** Drop or stop these: `tasks` null means the whole unit. An entry stays until the unit's `notAfter` (R8). */
  revokes: z.array(
    z.object({ unit: z.string(), tasks: z.array(z.number().int()).nullable(), notAfter: z.number().int() }),
  ),
  /** Agents asked to drain; `*` means all. */
  drains: z.array(z.string()),
  /** Jobs whose running tasks' output somebody follows: upload log chunks while they run. */
  follows: z.array(z.string()),
});

export type Control = z.infer<typeof controlSchema>;
export const EMPTY_CONTROL: Control = { v: CONTROL_VERSION, revokes: [], drains: [], follows: [] };
