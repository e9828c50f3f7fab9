import { isCode } from '../../shared/errors.ts';
import { Service } from '../../shared/service.ts';
import { CONTROL_VERSION, type Control } from '../../shared/wire/control.ts';
import { controlKey } from '../../shared/wire/keys.ts';
import type { Context, Pool } from './context.ts';
import type { Follows } from './follows.ts';
import { readText } from './read-segments.ts';

/** Entries past their `notAfter` leave the document at least this often. */
const IDLE_MS = 30_000;

/** R8, one a pool: keeps the control document equal to what agents must drop, stop or do. Puts it only when it changed. */
export class Controller {
  readonly service: Service;
  readonly #context: Context;
  readonly #pool: Pool;
  readonly #follows: Follows;
  /** The document in the store; undefined until it has been read. */
  #current: string | undefined;

  constructor(context: Context, pool: Pool, follows: Follows) {
    this.#context = context;
    this.#pool = pool;
    this.#follows = follows;
    this.service = new Service({
      name: `controller:${pool.name}`,
      intervalMs: IDLE_MS,
      log: context.log,
      runOnce: () => this.runOnce(),
    });
    context.signals.on('revokes', () => this.service.wake());
  }

  start(): void {
    this.service.start();
  }

  async stop(): Promise<void> {
    await this.service.stop();
  }

  /** Never more to do: whoever changes something wakes it. */
  async runOnce(): Promise<boolean> {
    const key = controlKey(this.#pool.name);
    this.#current ??= await this.#read(key);
    const wanted = JSON.stringify(this.#wanted());
    if (wanted === this.#current && !this.#pool.storeGuard.due().includes('store.put')) return false;
    await this.#pool.store.put(key, wanted);
    this.#current = wanted;
    return false;
  }

  #wanted(): Control {
    const { state, clock } = this.#context;
    return {
      v: CONTROL_VERSION,
      revokes: state.revokes(this.#pool.name, clock.now()),
      drains: state.poolMode(this.#pool.name).mode === 'draining' ? ['*'] : state.drains(this.#pool.name),
      recalls: state.recalls(this.#pool.name),
      follows: this.#follows.jobs(),
    };
  }

  async #read(key: string): Promise<string> {
    try {
      return await readText(this.#pool.store, key);
    } catch (error) {
      if (isCode(error, 'NOT_FOUND')) return '';
      throw error;
    }
  }
}
