import type { Logger } from 'pino';
import type { Clock } from '../../shared/clock.ts';
import type { Guard } from '../../shared/providers/guard/guard.ts';
import type { RequestCounts } from '../../shared/providers/meter.ts';
import type { ObjectStore, Queue } from '../../shared/providers/ports.ts';
import type { CoordinatorConfig } from '../config.ts';
import type { PoolConfig } from '../config-pools.ts';
import type { CoordinatorState } from '../state/open.ts';
import type { Metrics } from './metrics.ts';
import type { Signals } from './signals.ts';
import type { Staging } from './staging.ts';

/** A pool with its open queues and store. */
export interface Pool {
  name: string;
  config: PoolConfig;
  units: Queue;
  events: Queue;
  dead: Queue;
  store: ObjectStore;
  /** Stands before its queues. */
  guard: Guard;
  /** Counts what we ask of its queues, and of its store unless that is the primary one. */
  meter: RequestCounts;
  /** Stands before its store: the same, or that of the primary store where it shares it. */
  storeGuard: Guard;
  /** Opens what is not open yet. */
  open: () => Promise<void>;
  /** `active`: work is called back from its queue just now, and nothing new goes there. */
  recall: { active: boolean };
}

/** What every service works with; made once by the composition root. */
export interface Context {
  config: CoordinatorConfig;
  state: CoordinatorState;
  /** The primary store: specs, inputs, verdicts. */
  store: ObjectStore;
  /** Stands before the primary store. */
  storeGuard: Guard;
  /** Counts what the primary store is asked. */
  storeMeter: RequestCounts;
  pools: readonly Pool[];
  clock: Clock;
  log: Logger;
  signals: Signals;
  staging: Staging;
  metrics: Metrics;
}
