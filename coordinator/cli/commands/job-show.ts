import type { JobView } from '../../http/api.ts';
import type { Context } from '../context.ts';
import { parseJob } from '../ids.ts';
import { safeJson } from '../output/escape.ts';
import { jobRecord } from '../views.ts';

export async function run(
  context: Context,
  args: readonly string[],
  options: { spec?: boolean },
): Promise<undefined> {
  const path = `/v1/jobs/${parseJob(args[0] ?? '')}`;
  const client = context.client();
  if (options.spec !== true) {
    await context.output.record(await client.get<JobView>(path), jobRecord(Date.now()));
    return;
  }
  // A spec is nested: as a table it would be JSON anyway.
  const spec = await client.get<object>(`${path}/spec`);
  await context.output.record(spec, {
    fields: () => [['Spec', safeJson(spec, 2)]],
    name: () => args[0] ?? '',
  });
}
