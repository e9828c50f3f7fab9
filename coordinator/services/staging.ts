import type { UnitId } from '../../shared/ids.ts';
import type { Waiting } from './stager.ts';

/** Which units wait for what, for those who explain it. Written by the stagers. */
export class Staging {
  readonly #units = new Map<string, Waiting>();

  set(unit: UnitId, waiting: Waiting): void {
    this.#units.set(unit, waiting);
  }

  delete(unit: UnitId): void {
    this.#units.delete(unit);
  }

  of(unit: string): Waiting | undefined {
    return this.#units.get(unit);
  }
}
