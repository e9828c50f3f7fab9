import { z } from 'zod';

/** What an agent must know to serve a pool: written by the coordinator to `pools/<pool>/agent.json`. No secret in it. */
export const agentConfigSchema = z.object({
  v: z.literal(1),
  ns: z.string().min(1),
  pool: z.string().min(1),
  /** URLs that `openQueue`/`openStore` take. */
  unitsQueue: z.string(),
  eventsQueue: z.string(),
  store: z.string(),
  /** PEM of the key that units must be signed with. */
  publicKey: z.string(),
  labels: z.record(z.string(), z.string()).default({}),
  timing: z.object({
    heartbeatMs: z.number().int().positive(),
    leaseMs: z.number().int().positive(),
    /** Longest wait before outcomes are written to a segment. */
    flushMs: z.number().int().positive(),
    controlPollMs: z.number().int().positive(),
  }),
});

export type AgentConfig = z.infer<typeof agentConfigSchema>;
