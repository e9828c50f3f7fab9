import { EXIT } from '../../../shared/errors.ts';
import type { Context } from '../context.ts';
import { differenceList, PoolPlaces } from '../pool-places.ts';

/** Looks at the queues and stores of pools and changes nothing. */
export async function run(context: Context, args: readonly string[]): Promise<number> {
  const places = await PoolPlaces.open(context.home, args);
  const differences = await places.inspect();
  await context.output.list(differences, differenceList);
  return differences.some(({ gravity }) => gravity === 'failed') ? EXIT.failed : EXIT.ok;
}
