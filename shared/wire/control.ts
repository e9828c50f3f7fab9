import { z } from 'zod';
import type { AgentId, BootId } from '../ids.ts';

export const CONTROL_VERSION = 1;

/** The control document of a pool, `control/<pool>.json`: what agents must drop, stop or do. */
export const controlSchema = z.object({
  v: z.number().int().min(1),
  /** Drop or stop these: `tasks` null means the whole unit. An entry stays until the unit's `notAfter` (R8). */
  revokes: z.array(
    z.object({ unit: z.string(), tasks: z.array(z.number().int()).nullable(), notAfter: z.number().int() }),
  ),
  /** Asked to drain: `<agent>/<boot>` one life of an agent, `<agent>` whichever life has the name, `*` all. */
  drains: z.array(z.string()),
  /** Units asked back: what has not begun of them is handed back, what runs goes on. */
  recalls: z.array(z.string()).default([]),
  /** Jobs whose running tasks' output somebody follows: upload log chunks while they run. */
  follows: z.array(z.string()),
});

/** The life that is to drain, so that the next one of the same name may read the same document and stay. */
export const drainName = (agent: AgentId, boot: BootId): string => `${agent}/${boot}`;

export type Control = z.infer<typeof controlSchema>;
export const EMPTY_CONTROL: Control = {
  v: CONTROL_VERSION,
  revokes: [],
  drains: [],
  recalls: [],
  follows: [],
};
