import type { Context } from '../context.ts';
import { formatCount } from '../output/text.ts';

export async function run(
  context: Context,
  _args: readonly string[],
  options: { force?: boolean },
): Promise<undefined> {
  const { rebuildState } = await import('../../main.ts');
  context.output.note(`Reading the store of ${context.home} …`);
  const rebuilt = await rebuildState({ home: context.home, logTo: 'nowhere', force: options.force === true });
  await context.output.record(rebuilt, {
    name: (result) => String(result.jobs),
    fields: (result) => [
      ['Jobs', formatCount(result.jobs)],
      ['Tasks', formatCount(result.tasks)],
      ['To be run', formatCount(result.open)],
      ['Lost', formatCount(result.lost)],
      ['Left out', formatCount(result.leftOut.length)],
    ],
  });
  if (rebuilt.leftOut.length > 0)
    context.output.note(
      `Their spec or items in the store are gone or damaged: ${rebuilt.leftOut.join(', ')}`,
    );
  context.output.note('"clobi coordinator start" finishes what is open.');
}
