import type { Logger } from 'pino';
import type { Clock } from '../../shared/clock.ts';
import type { ObjectStore, Queue } from '../../shared/providers/ports.ts';
import type { CoordinatorConfig } from '../config.ts';
import type { PoolConfig } from '../config-pools.ts';
import type { CoordinatorState } from '../state/open.ts';
import type { Metrics } from './metrics.ts';
import type { Signals } from './signals.ts';

/** A pool with its open queues and store. */
export interface Pool {
  name: string;
  config: PoolConfig;
  units: Queue;
  events: Queue;
  dead: Queue;
  store: ObjectStore;
}

/** What every service works with; made once by the composition root. */
export interface Context {
  config: CoordinatorConfig;
  state: CoordinatorState;
  /** The primary store: specs, inputs, verdicts. */
  store: ObjectStore;
  pools: readonly Pool[];
  clock: Clock;
  log: Logger;
  signals: Signals;
  metrics: Metrics;
}
