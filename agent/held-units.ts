import { isPlanted } from '../shared/fault.ts';
import type { UnitId } from '../shared/ids.ts';
import type { UnitInHand } from './unit-in-hand.ts';

/** So many units are remembered after they left our hands: a help against copies, no guarantee (R3). */
const RECENT_UNITS = 10_000;

/** What this boot has not begun of a unit; while it is in hand, any task of it may still begin. */
type Memory = { unit: UnitInHand } | { notBegun: readonly number[] };

/** Every unit in hand, and which units this boot has met before. */
export class HeldUnits {
  readonly #held = new Set<UnitInHand>();
  readonly #recent = new Map<UnitId, Memory>();
  readonly #recentLimit: number;
  #whenEmpty: (() => void)[] = [];

  constructor(recentLimit = RECENT_UNITS) {
    this.#recentLimit = recentLimit;
  }

  get size(): number {
    return this.#held.size;
  }

  [Symbol.iterator](): IterableIterator<UnitInHand> {
    return this.#held.values();
  }

  add(unit: UnitInHand): void {
    this.#held.add(unit);
    if (this.#recent.has(unit.id)) return;
    this.#recent.set(unit.id, { unit });
    const oldest = this.#recent.size > this.#recentLimit ? this.#recent.keys().next() : undefined;
    if (oldest?.done === false) this.#recent.delete(oldest.value);
  }

  /** Its message is deleted, or belongs to somebody else. */
  remove(unit: UnitInHand): void {
    this.#held.delete(unit);
    const memory = this.#recent.get(unit.id);
    if (memory !== undefined && 'unit' in memory && memory.unit === unit)
      this.#recent.set(unit.id, { notBegun: unit.notBegun() });
    if (this.#held.size > 0) return;
    for (const resolve of this.#whenEmpty) resolve();
    this.#whenEmpty = [];
  }

  hasMet(unit: UnitId): boolean {
    return this.#recent.has(unit);
  }

  /** Whether this boot has begun the task, or still may: then a copy of its unit must not say that it did not. */
  hasBegun(unit: UnitId, index: number): boolean {
    const memory = this.#recent.get(unit);
    if (memory === undefined) return false;
    return 'unit' in memory || !memory.notBegun.includes(index);
  }

  /** What this boot claims: every unit received and not deleted (R4). */
  claimed(): UnitInHand[] {
    const all = [...this.#held];
    return isPlanted('drop-claim-while-uploading') ? all.filter((unit) => !unit.isOver()) : all;
  }

  /** Resolves when no unit is in hand. */
  whenEmpty(): Promise<void> {
    if (this.#held.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }
}
