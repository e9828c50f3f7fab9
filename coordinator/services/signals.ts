import type { Applied } from '../state/store.ts';

/**
 * Who must look again, told at once: no service polls for another's work.
 * `dispatchable` tasks or capacity appeared · `outbox` units wait to be sent · `verdicts` terminal states wait for export ·
 * `exported` states may be shown · `revokes` control documents changed · `claims` who holds what may have changed ·
 * `recalls` work is asked back from pools · `changed` something a follower may want to see.
 */
export type Signal =
  | 'dispatchable'
  | 'outbox'
  | 'verdicts'
  | 'exported'
  | 'revokes'
  | 'claims'
  | 'recalls'
  | 'changed';

export class Signals {
  readonly #listeners = new Map<Signal, Set<() => void>>();

  /** Returns the function that ends the subscription. */
  on(signal: Signal, listener: () => void): () => void {
    const listeners = this.#listeners.get(signal) ?? new Set();
    this.#listeners.set(signal, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  ring(signal: Signal): void {
    for (const listener of this.#listeners.get(signal) ?? []) listener();
  }

  /** Resolves at the next ring, after `ms`, or when aborted. */
  async next(signal: Signal, ms: number, abort?: AbortSignal): Promise<void> {
    if (abort?.aborted === true) return;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        off();
        abort?.removeEventListener('abort', finish);
        resolve();
      };
      const off = this.on(signal, finish);
      const timer = setTimeout(finish, ms);
      abort?.addEventListener('abort', finish, { once: true });
    });
  }

  /** Wakes whom a transaction concerns. */
  announce(applied: Pick<Applied, 'verdicts' | 'dispatchable' | 'revokes'> & { claims?: boolean }): void {
    if (applied.verdicts) this.ring('verdicts');
    if (applied.dispatchable) this.ring('dispatchable');
    if (applied.revokes) this.ring('revokes');
    if (applied.claims === true) this.ring('claims');
    this.ring('changed');
  }
}
