import { messageOf } from '../../shared/errors.ts';
import type { Finding } from './doctor.ts';

/** How clobi.yaml is, and every difference of its pools' queues and stores. Loads a cloud's SDK only where a pool is in one. */
export async function examinePools(home: string): Promise<Finding[]> {
  const { PoolPlaces, readConfig } = await import('./pool-places.ts');
  try {
    const names = readConfig(home).pools.map(({ name }) => name);
    const differences = await (await PoolPlaces.open(home, [])).inspect();
    return [
      { check: 'clobi.yaml', status: 'ok', found: `pools ${names.join(', ')}`, fix: '' },
      ...differences.map(({ pool, thing, setting, is, shouldBe, gravity, fix }) => ({
        check: `pool ${pool}`,
        status: gravity,
        found:
          setting === 'exists' ? `${thing} is ${is}` : `${thing}: ${setting} is ${is}, should be ${shouldBe}`,
        fix,
      })),
    ];
  } catch (error) {
    return [{ check: 'clobi.yaml', status: 'failed', found: messageOf(error), fix: 'mend the file' }];
  }
}
