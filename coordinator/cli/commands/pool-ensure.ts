import { createInterface } from 'node:readline/promises';
import { ClobiError, EXIT } from '../../../shared/errors.ts';
import type { Context } from '../context.ts';
import { plural } from '../output/text.ts';
import { differenceList, PoolPlaces } from '../pool-places.ts';

interface Options {
  yes?: boolean;
}

/** Shows what it would change, changes it once it is told to, and shows what is still not as it should be. */
export async function run(context: Context, args: readonly string[], options: Options): Promise<number> {
  const { output } = context;
  const places = await PoolPlaces.open(context.home, args);
  const before = await places.inspect();
  const mendable = before.filter((difference) => difference.mendable).length;
  if (mendable === 0) {
    await output.list(before, differenceList);
    return before.some(({ gravity }) => gravity === 'failed') ? EXIT.failed : EXIT.ok;
  }
  if (output.isHuman) await output.list(before, differenceList);
  if (options.yes !== true && !(await isWanted(mendable))) {
    output.note('Nothing was changed.');
    return EXIT.failed;
  }
  const problems = await places.mend();
  for (const problem of problems) output.error(problem);
  const left = await places.inspect();
  if (problems.length === 0) output.note(`Changed ${plural(mendable, 'setting')}.`);
  await output.list(left, differenceList);
  const isWell = problems.length === 0 && left.every(({ gravity }) => gravity !== 'failed');
  return isWell ? EXIT.ok : EXIT.failed;
}

async function isWanted(changes: number): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new ClobiError('USAGE', `${plural(changes, 'change')} to make; say --yes to make them.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`Make ${plural(changes, 'change')}? [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
