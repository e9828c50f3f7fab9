import { join } from 'node:path';
import { z } from 'zod';
import { ClobiError } from '../shared/errors.ts';
import { queuesDirectory } from '../shared/paths.ts';
import { deadQueue, eventsQueue, unitsQueue } from '../shared/wire/keys.ts';

/** A pool as configured: URLs that openQueue/openStore take, and what placement knows of it. */
export interface PoolConfig {
  name: string;
  provider: string;
  region: string | null;
  /** Empty: whatever its agents say. */
  archs: readonly string[];
  labels: Readonly<Record<string, string>>;
  unitsQueue: string;
  eventsQueue: string;
  deadQueue: string;
  store: string;
}

const poolSchema = z.strictObject({
  provider: z.literal('local', 'must be "local"').default('local'),
  region: z.string().nullable().default(null),
  archs: z.array(z.string()).default([]),
  labels: z.record(z.string(), z.string()).default({}),
});
const poolsSchema = z
  .record(
    z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'must be lower-case letters, digits and dashes'),
    poolSchema.nullable(),
  )
  .refine((pools) => Object.keys(pools).length > 0, 'must name at least one pool');

/** The `pools:` of the file → pools; without any, the one pool `local`. */
export function compilePools(given: unknown, at: { home: string; store: string; ns: string }): PoolConfig[] {
  const parsed = poolsSchema.safeParse(given ?? { local: {} });
  if (!parsed.success) throw new ClobiError('INVALID_CONFIG', describe(parsed.error, given));
  return Object.entries(parsed.data).map(([name, pool]) => {
    const queue = (wireName: string): string =>
      `local-queue:${join(queuesDirectory(at.home), `${wireName}.sqlite`)}`;
    return {
      name,
      ...(pool ?? poolSchema.parse({})),
      unitsQueue: queue(unitsQueue(at.ns, name)),
      eventsQueue: queue(eventsQueue(at.ns, name)),
      deadQueue: queue(deadQueue(at.ns, name)),
      store: at.store,
    };
  });
}

function describe(error: z.ZodError, given: unknown): string {
  const lines = error.issues.map((issue) => {
    const value = issue.path.reduce<unknown>(
      (part, key) => (part as Record<PropertyKey, unknown> | undefined)?.[key],
      given,
    );
    return `pools.${issue.path.join('.')} is ${value === undefined ? 'missing' : JSON.stringify(value)}: ${issue.message}`;
  });
  return lines.join('; ');
}
