import { ClobiError } from '../../../shared/errors.ts';
import type { Context } from '../context.ts';
import { safeJson } from '../output/escape.ts';

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const name = args[0] ?? 'job';
  if (name !== 'job') throw new ClobiError('USAGE', `There is no schema "${name}"; there is "job".`);
  const { jobFileJsonSchema } = await import('../../../shared/job-file/json-schema.ts');
  const schema = jobFileJsonSchema();
  // A schema is a document: as a table it would say nothing.
  if (context.output.isHuman) await context.output.write(`${safeJson(schema, 2)}\n`);
  else await context.output.record(schema, { name: () => 'job', fields: () => [] });
}
