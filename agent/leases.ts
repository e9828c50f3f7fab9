import type { Logger } from 'pino';
import type { Clock } from '../shared/clock.ts';
import { isCode } from '../shared/errors.ts';
import { Service } from '../shared/service.ts';
import type { HeldUnits } from './held-units.ts';
import type { UnitInHand } from './unit-in-hand.ts';

/** A lease is renewed when this part of it has passed; looked at twice as often, so two renewals may fail. */
const RENEW_AT = 1 / 3;

export interface LeaseKeeperOptions {
  held: HeldUnits;
  leaseMs: number;
  clock: Clock;
  log: Logger;
}

/** Renews the lease of every unit in hand, of all in one pass. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #service: Service;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    const intervalMs = Math.max(1, Math.floor((options.leaseMs * RENEW_AT) / 2));
    this.#service = new Service({
      name: 'leases',
      intervalMs,
      log: options.log,
      runOnce: () => this.runOnce(),
    });
  }

  start(): void {
    this.#service.start();
  }

  stop(): Promise<void> {
    return this.#service.stop();
  }

  async runOnce(): Promise<false> {
    const { held, clock, leaseMs } = this.#options;
    const now = clock.now();
    // Also when the clock was set back: the lease runs by another clock than ours.
    const old = [...held].filter(
      (unit) => !unit.leaseLost && Math.abs(now - unit.leasedAt) >= leaseMs * RENEW_AT,
    );
    await Promise.all(old.map((unit) => this.#renew(unit)));
    return false;
  }

  async #renew(unit: UnitInHand): Promise<void> {
    const { clock, leaseMs, log } = this.#options;
    const now = clock.now();
    try {
      await unit.delivery.extend(leaseMs);
      unit.leasedAt = now;
    } catch (error) {
      // Somebody else may get the message now; they will hand it back (R3), and we go on.
      unit.leaseLost = isCode(error, 'LEASE_LOST');
      log.warn({ unit: unit.id, err: error, lost: unit.leaseLost }, 'lease could not be renewed');
    }
  }
}
