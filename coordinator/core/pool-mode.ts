/**
 * What a person ordered for a pool:
 *
 *   open ──pause──▶ paused       nothing new goes there
 *        ──drain──▶ draining     and its agents are asked to leave
 *     ──evacuate──▶ evacuated    nothing new goes there, and what waits there comes back
 *
 * Any order may follow any other; `resume` leads back to open.
 */
export const POOL_MODES = ['open', 'paused', 'draining', 'evacuated'] as const;
export type PoolMode = (typeof POOL_MODES)[number];

export const MODE_OF_ORDER = {
  pause: 'paused',
  resume: 'open',
  drain: 'draining',
  evacuate: 'evacuated',
} as const satisfies Record<string, PoolMode>;
export type PoolOrder = keyof typeof MODE_OF_ORDER;
