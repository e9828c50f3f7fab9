import { z } from 'zod';

/** Query and path values arrive as text. */
export const jobParams = z.object({
  job: z.string().min(1).max(64).describe('an id, a unique prefix of one, or "last"'),
});
export const taskParams = jobParams.extend({ index: z.coerce.number().int().nonnegative() });
export const sha256Text = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits');
export const limit = z.coerce.number().int().min(1).max(1000).default(100);
export const pageQuery = z.object({ limit, after: z.string().max(256).optional() });
export const flag = z.enum(['0', '1', 'true', 'false']).transform((text) => text === '1' || text === 'true');
