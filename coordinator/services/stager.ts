import { ClobiError } from '../../shared/errors.ts';
import { faultPoint } from '../../shared/fault.ts';
import type { UnitId } from '../../shared/ids.ts';
import { inputKey } from '../../shared/wire/keys.ts';
import type { Context } from './context.ts';
import { Errands, type Failure } from './errands.ts';
import type { References } from './references.ts';
import { type ContentNeed, describeNeed, nameOfNeed, type Need } from './needs.ts';
import { withContent } from './scratch.ts';
import { allStores, type NamedStore } from './stores.ts';

const TRANSFERS = 8;
/** Asking whether something so large is there already costs nothing beside bringing it again. */
const ASK_FIRST_BYTES = 1024 * 1024;
/** Names kept in memory; beyond that they are asked for again. */
const MOST_KNOWN = 200_000;

/** What a unit waits for, for a person to read. */
export interface Waiting {
  /** How many things are still to be brought. */
  left: number;
  /** The first thing that could not be brought. */
  failure?: Failure & { what: string };
}

/**
 * One a store: sees to it that what units need is there before they are sent. Each content comes once, however many units
 * and pools wait for it; units that need nothing pass those that wait. A unit whose needs could not be met waits for the
 * failure's pause and is then looked at anew, if it is still to be sent.
 */
export class Stager {
  readonly #context: Context;
  readonly #at: NamedStore;
  readonly #references: References;
  readonly #errands: Errands;
  readonly #there = new Set<string>();
  readonly #waiting = new Map<UnitId, Waiting>();

  constructor(context: Context, at: NamedStore, references: References) {
    this.#context = context;
    this.#at = at;
    this.#references = references;
    this.#errands = new Errands({ concurrency: TRANSFERS, clock: context.clock, log: context.log });
  }

  start(): void {
    // Begins when asked.
  }

  async stop(): Promise<void> {
    await this.#errands.stop();
  }

  /** Units not to be looked at now. Those whose pause is over are no more among them. */
  waiting(): ReadonlySet<UnitId> {
    const now = this.#context.clock.now();
    for (const [unit, { left, failure }] of this.#waiting)
      if (left === 0 || (failure !== undefined && failure.nextTryAt <= now)) this.#forget(unit);
    return new Set(this.#waiting.keys());
  }

  /** True when everything is there. Else it is being brought, and `onChange` is called when the unit should be looked at again. */
  isReady(unit: UnitId, needs: readonly Need[], onChange: () => void): boolean {
    const missing = needs.filter((need) => need.kind === 'reference' || !this.#there.has(need.sha256));
    if (missing.length === 0) return true;
    const waiting: Waiting = { left: missing.length };
    this.#waiting.set(unit, waiting);
    this.#context.staging.set(unit, waiting);
    for (const need of missing) {
      void this.#bring(need).then((failure) => {
        if (failure === undefined) waiting.left -= 1;
        else waiting.failure ??= { ...failure, what: describeNeed(need) };
        if (waiting.left === 0) onChange();
      });
    }
    return false;
  }

  #forget(unit: UnitId): void {
    this.#waiting.delete(unit);
    this.#context.staging.delete(unit);
  }

  #bring(need: Need): Promise<Failure | undefined> {
    if (need.kind === 'reference') return this.#references.bring(need);
    return this.#errands.run(nameOfNeed(need), (signal) => this.#bringContent(need, signal));
  }

  async #bringContent(need: ContentNeed, signal: AbortSignal): Promise<void> {
    const { state, clock } = this.#context;
    const { url } = this.#at;
    if (await this.#isThere(need)) {
      this.#know(need.sha256);
      return;
    }
    faultPoint('stage.before-put');
    await this.#copy(need, signal);
    faultPoint('stage.after-put');
    state.noteStaged(url, need.sha256, clock.now());
    this.#know(need.sha256);
  }

  /** What was there in a former life may have been tidied away since: asked once. */
  async #isThere({ sha256, sizeBytes }: ContentNeed): Promise<boolean> {
    const { state } = this.#context;
    if (!state.wasStaged(this.#at.url, sha256) && sizeBytes < ASK_FIRST_BYTES) return false;
    return (await this.#at.store.head(inputKey(sha256)))?.sizeBytes === sizeBytes;
  }

  async #copy({ sha256, sizeBytes, from }: ContentNeed, signal: AbortSignal): Promise<void> {
    const source = allStores(this.#context).find(({ url }) => url === from.url)?.store;
    const open = async () => {
      const object = await source?.get(from.key);
      if (object === undefined) throw new ClobiError('NOT_FOUND', `There is no object "${from.key}".`);
      return object.body;
    };
    await withContent({ home: this.#context.config.home, open, sizeBytes, signal }, async (content) => {
      if (content.sha256 !== sha256)
        throw new ClobiError(
          'CONFLICT',
          `"${from.key}" of ${from.url} has the SHA-256 ${content.sha256}, not ${sha256} as it should.`,
        );
      await this.#at.store.put(inputKey(sha256), content.body);
    });
  }

  #know(sha256: string): void {
    if (this.#there.size >= MOST_KNOWN) this.#there.clear();
    this.#there.add(sha256);
  }
}
