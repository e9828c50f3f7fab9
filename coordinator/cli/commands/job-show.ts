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
  const client = context.client();
  const view = await client.get<JobView>(`/v1/jobs/${parseJob(args[0] ?? '')}`);
  if (options.spec !== true) {
    await context.output.record(view, jobRecord(Date.now()));
    return;
  }
  // A spec is nested: as a table it would be JSON anyway.
  const spec = await client.get<object>(`/v1/jobs/${view.id}/spec`);
  await context.output.record(spec, {
    fields: () => [['Spec', safeJson(spec, 2)]],
    name: () => view.id,
  });
}
