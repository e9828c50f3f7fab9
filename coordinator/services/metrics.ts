import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Applied } from '../state/store.ts';

/** What the coordinator counts about itself. One object a coordinator, so that tests may have several in a process. */
export class Metrics {
  readonly registry = new Registry();
  readonly jobsSubmitted = this.#counter('clobi_jobs_submitted_total', 'Jobs acknowledged.');
  readonly tasksDispatched = this.#counter('clobi_tasks_dispatched_total', 'Tasks put into units.', ['pool']);
  readonly unitsSent = this.#counter('clobi_units_sent_total', 'Unit messages sent.', ['pool']);
  readonly sendFailures = this.#counter(
    'clobi_unit_send_failures_total',
    'Unit messages that could not be sent.',
    ['pool'],
  );
  readonly eventBatches = this.#counter('clobi_event_batches_total', 'Event messages applied.', ['pool']);
  readonly badBatches = this.#counter('clobi_bad_event_batches_total', 'Event messages refused.', ['pool']);
  readonly handedBack = this.#counter(
    'clobi_units_handed_back_total',
    'Units that agents handed back without beginning all of their tasks, as often as that was told.',
    ['pool', 'why'],
  );
  readonly commits = this.#counter('clobi_tasks_committed_total', 'Tasks that became final by an outcome.');
  readonly failures = this.#counter('clobi_attempt_failures_total', 'Attempts counted as failed.');
  readonly losses = this.#counter('clobi_attempt_losses_total', 'Attempts counted as lost.');
  readonly superseded = this.#counter(
    'clobi_runs_superseded_total',
    'Runs that ended when it no longer counted.',
  );
  readonly unitsVoided = this.#counter('clobi_units_voided_total', 'Units voided.', ['pool', 'why']);
  readonly verdictsExported = this.#counter(
    'clobi_verdicts_exported_total',
    'Final states written to the store.',
  );
  readonly sendDelay = new Histogram({
    name: 'clobi_dispatch_seconds',
    help: 'Time from the unit row to the sent message.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30],
    registers: [this.registry],
  });

  /** A gauge whose values are read when it is scraped. */
  gauge(
    name: string,
    help: string,
    labelNames: string[],
    read: () => { labels: Record<string, string>; value: number }[],
  ): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect: () => {
        gauge.reset();
        for (const { labels, value } of read()) gauge.set(labels, value);
      },
    });
  }

  /** A counter whose values are kept elsewhere, and read when it is scraped. */
  counterOf(
    name: string,
    help: string,
    labelNames: string[],
    read: () => { labels: Record<string, string>; value: number }[],
  ): void {
    const counter: Counter = new Counter({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect: () => {
        counter.reset();
        for (const { labels, value } of read()) counter.inc(labels, value);
      },
    });
  }

  count(applied: Applied): void {
    this.commits.inc(applied.committed);
    this.failures.inc(applied.failures);
    this.losses.inc(applied.losses);
    this.superseded.inc(applied.superseded);
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}
