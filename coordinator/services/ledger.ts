import type { RequestCounts } from '../../shared/providers/meter.ts';
import { Service } from '../../shared/service.ts';
import { PRIMARY_STORE } from '../state/requests.ts';
import type { Context } from './context.ts';

const INTERVAL_MS = 2_000;

/** Books what we ask of providers, and shares it, with what agents said, among the tasks that have ended since. */
export class Ledger {
  readonly service: Service;
  readonly #context: Context;
  /** What has been booked of each meter. */
  readonly #booked = new Map<RequestCounts, Readonly<Record<string, number>>>();

  constructor(context: Context) {
    this.#context = context;
    this.service = new Service({
      name: 'ledger',
      intervalMs: INTERVAL_MS,
      log: context.log,
      runOnce: () => Promise.resolve(this.runOnce()),
    });
  }

  start(): void {
    this.service.start();
  }

  /** What was asked in the last moments is booked, too. */
  async stop(): Promise<void> {
    await this.service.stop();
    this.runOnce();
  }

  runOnce(): boolean {
    const { state, pools, storeMeter, clock } = this.#context;
    state.transaction(() => {
      for (const { name, meter } of pools) this.#book(name, meter);
      this.#book(PRIMARY_STORE, storeMeter);
      state.shareRequests(clock.now());
    });
    return false;
  }

  #book(pool: string, meter: RequestCounts): void {
    const now = meter.totals();
    const before = this.#booked.get(meter) ?? {};
    const fresh = Object.entries(now).filter(([operation, count]) => count > (before[operation] ?? 0));
    if (fresh.length === 0) return;
    this.#context.state.addRequests(
      pool,
      Object.fromEntries(fresh.map(([operation, count]) => [operation, count - (before[operation] ?? 0)])),
    );
    this.#booked.set(meter, now);
  }
}
