import { rebuildState } from '../../main.ts';
import type { Context } from '../context.ts';
import type { RecordView } from '../output/output.ts';
import { formatCount } from '../output/text.ts';

type Rebuilt = Awaited<ReturnType<typeof rebuildState>>;

const rebuiltRecord: RecordView<Rebuilt> = {
  name: ({ jobs }) => String(jobs),
  fields: ({ jobs, tasks, open, lost }) => [
    ['Jobs', formatCount(jobs)],
    ['Tasks', formatCount(tasks)],
    ['Dispatched again', formatCount(open)],
    ['Lost', formatCount(lost)],
  ],
};

export async function run(context: Context, _args: readonly string[], options: { takeOver?: boolean }): Promise<undefined> {
  const rebuilt = await rebuildState({ home: context.home, takeOver: options.takeOver === true, logTo: 'nowhere' });
  await context.output.record(rebuilt, rebuiltRecord);
  context.output.note('The database is whole again. "clobi coordinator start" finishes what was open.');
}
