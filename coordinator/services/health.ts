import { isCode } from '../../shared/errors.ts';
import type { Guard } from '../../shared/providers/guard/guard.ts';
import { type GuardHealth, joinHealth } from '../../shared/providers/guard/health.ts';
import { Service } from '../../shared/service.ts';
import { controlKey } from '../../shared/wire/keys.ts';
import type { Context, Pool } from './context.ts';

const INTERVAL_MS = 1_000;
/** While work is out, the store is looked at so often: the coordinator may ask nothing else of it for long. */
const LOOK_MS = 10_000;

type Guarded = Pick<Pool, 'guard' | 'storeGuard'>;

const guardsOf = ({ guard, storeGuard }: Guarded): Guard[] =>
  guard === storeGuard ? [guard] : [guard, storeGuard];

/** The pool's own, and that of the store it shares with others. */
export const poolHealth = (pool: Guarded): GuardHealth =>
  joinHealth(guardsOf(pool).map(({ health }) => health));

/** R9: nothing new goes there, and R7 does not run on it. */
export const isDark = (pool: Guarded): boolean => guardsOf(pool).some((guard) => guard.isDark);

/** Not dark, but only real work can tell whether it works again. */
export const isOnTrial = (pool: Guarded): boolean =>
  guardsOf(pool).some((guard) => guard.isTroubled) && poolHealth(pool).trial;

/**
 * R9, one a pool: tries again what was refused for a while, where no other service does so by itself. A queue that may be
 * sent to is first asked for its depth; only then real work may try it: what is sent in vain costs a task a loss.
 */
export class Prober {
  readonly service: Service;
  readonly #context: Context;
  readonly #pool: Pool;
  #ends: (() => void)[] = [];
  #nextLookAt = 0;

  constructor(context: Context, pool: Pool) {
    this.#context = context;
    this.#pool = pool;
    this.service = new Service({
      name: `prober:${pool.name}`,
      intervalMs: INTERVAL_MS,
      log: context.log,
      runOnce: () => this.runOnce(),
    });
  }

  start(): void {
    const { signals } = this.#context;
    const tell = (): void => {
      signals.ring('dispatchable');
      signals.ring('outbox');
      signals.ring('changed');
    };
    this.#ends = guardsOf(this.#pool).map((guard) => guard.onChange(tell));
    this.service.start();
  }

  async stop(): Promise<void> {
    for (const end of this.#ends.splice(0)) end();
    await this.service.stop();
  }

  /** One probe of everything that is due. */
  async runOnce(): Promise<boolean> {
    for (const guard of guardsOf(this.#pool)) {
      for (const operation of guard.due()) await this.#probe(guard, operation);
    }
    await this.#lookAtStore();
    return false;
  }

  /**
   * Agents that cannot upload keep what they run and live on, so nothing else tells that a pool's store is gone. A look
   * that fails is followed by others at once, until the breaker opens or it was an accident.
   */
  async #lookAtStore(): Promise<void> {
    const { state, clock } = this.#context;
    const { name, storeGuard } = this.#pool;
    const now = clock.now();
    if (now < this.#nextLookAt || storeGuard.refusal('store.get') !== undefined) return;
    if (state.load(name, 0).outstandingUnits === 0) return;
    try {
      await this.#try(storeGuard, 'store.get');
      this.#nextLookAt = now + LOOK_MS;
    } catch (error) {
      if (isCode(error, 'NOT_FOUND')) this.#nextLookAt = now + LOOK_MS;
    }
  }

  /** Never rejects: the guard remembers what happened. */
  async #probe(guard: Guard, operation: string): Promise<void> {
    try {
      await this.#try(guard, operation);
    } catch (error) {
      this.#context.log.debug({ pool: this.#pool.name, operation, err: error }, 'probe failed');
    }
  }

  /** Receives and deletes are tried by the collector, whose loop never ends. */
  async #try(guard: Guard, operation: string): Promise<void> {
    const { name, units, store } = this.#pool;
    switch (operation) {
      case 'open':
        return this.#pool.open();
      case 'units.depth':
        await units.depth();
        return;
      case 'units.send':
        await units.depth();
        guard.letTry(operation);
        return;
      case 'store.get':
        (await store.get(controlKey(name)))?.body.destroy();
        return;
      case 'store.list':
        await store.list(controlKey(name));
        return;
      case 'store.put':
        // The controller puts its document again.
        this.#context.signals.ring('revokes');
        return;
      default:
        return;
    }
  }
}
