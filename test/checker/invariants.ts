import type { AttemptView } from '../../coordinator/http/api.ts';
import { parseAttemptId } from '../../shared/ids.ts';
import type { Outcome } from '../../shared/wire/event.ts';
import type { Verdict } from '../../shared/wire/verdict.ts';
import { digest, type Facts, readFacts } from './facts.ts';
import type { History } from './history.ts';
import type { ReadableStore } from './merged-store.ts';

export interface Violation {
  /** `I1`…`I5`, `R3` (begun once), `no-fault-no-loss`. */
  rule: string;
  task: string;
  text: string;
}

export interface CheckOptions {
  /** The run had no fault that may cost an attempt: then no attempt may be lost. */
  expectNoLosses?: boolean;
  /** Messages were copied with count 1 (or sent twice by a coordinator's crash): an attempt may have two runs. */
  copiesAllowed?: boolean;
}

/**
 * Verifies I1, I2, I3 and I5 from the store and the client's history alone. Returns every violation; an
 * empty list means the run was right as far as these two witnesses can tell.
 */
export async function check(
  store: ReadableStore,
  history: History,
  options: CheckOptions = {},
): Promise<Violation[]> {
  const facts = await readFacts(store);
  const index = indexFacts(facts);
  const violations: Violation[] = [];
  for (const [job, { tasks, retryLimit, retryLost }] of history.jobs) {
    for (let i = 0; i < tasks; i += 1) {
      const task = `${job}/${String(i)}`;
      const verdicts = index.verdictsOf(job, i);
      const outcomes = index.outcomesOf(task);
      const shown = history.shown.get(task) ?? [];
      const add = (rule: string, text: string): void => void violations.push({ rule, task, text });
      checkEnded(verdicts, add);
      checkFinal(verdicts, shown, add);
      await checkVisible(store, verdicts, outcomes, add);
      checkBegunOnce(outcomes, options, add);
      checkCounts({ verdicts, outcomes, attempts: shown.at(-1)?.attempts ?? [], retryLimit, retryLost }, add);
      if (options.expectNoLosses === true) checkNoLoss(shown.at(-1)?.attempts ?? [], add);
    }
  }
  return violations;
}

type Add = (rule: string, text: string) => void;

function indexFacts(facts: Facts) {
  const single = groupBy(
    facts.verdicts.filter((verdict) => verdict.to === undefined),
    (v) => `${v.job}/${String(v.index)}`,
  );
  const ranges = groupBy(
    facts.verdicts.filter((verdict) => verdict.to !== undefined),
    (v) => v.job,
  );
  const outcomes = groupBy(facts.outcomes, (o) => `${o.job}/${String(o.index)}`);
  return {
    verdictsOf: (job: string, i: number): Verdict[] => [
      ...(single.get(`${job}/${String(i)}`) ?? []),
      ...(ranges.get(job) ?? []).filter((range) => range.index <= i && i <= (range.to ?? range.index)),
    ],
    outcomesOf: (task: string): Outcome[] => outcomes.get(task) ?? [],
  };
}

function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group === undefined) groups.set(keyOf(value), [value]);
    else group.push(value);
  }
  return groups;
}

function checkEnded(verdicts: readonly Verdict[], add: Add): void {
  if (verdicts.length === 0) add('I1', 'acknowledged, but it has no final state');
}

function checkFinal(
  verdicts: readonly Verdict[],
  shown: readonly { state: string; run: string | null }[],
  add: Add,
): void {
  const finals = new Set([...verdicts, ...shown].map(({ state, run }) => `${state} by ${run ?? 'no run'}`));
  if (finals.size > 1) add('I2', `more than one final state: ${[...finals].join(', ')}`);
  if (shown.length > 0 && verdicts.length === 0) add('I2', 'shown as final before its verdict was durable');
}

async function checkVisible(
  store: ReadableStore,
  verdicts: readonly Verdict[],
  outcomes: readonly Outcome[],
  add: Add,
): Promise<void> {
  const success = verdicts.find((verdict) => verdict.state === 'succeeded');
  if (success === undefined) return;
  const outcome = outcomes.find(({ run, result }) => run === success.run && result === 'succeeded');
  if (outcome === undefined) {
    add('I3', `the visible run ${success.run ?? '?'} is in no segment`);
    return;
  }
  for (const output of outcome.outputs) {
    const found = await digest(store, output.key);
    if (found === undefined) add('I3', `output ${output.key} is missing`);
    else if (found.sizeBytes !== output.sizeBytes || found.sha256 !== output.sha256)
      add('I3', `output ${output.key} differs from what was committed`);
  }
}

function checkBegunOnce(outcomes: readonly Outcome[], options: CheckOptions, add: Add): void {
  if (options.copiesAllowed === true) return;
  const runs = groupBy(outcomes, (outcome) => outcome.attempt);
  for (const [attempt, of] of runs) {
    const distinct = new Set(of.map(({ run }) => run));
    if (distinct.size > 1) add('R3', `attempt ${attempt} was begun ${String(distinct.size)} times`);
  }
}

interface Counted {
  verdicts: readonly Verdict[];
  outcomes: readonly Outcome[];
  attempts: readonly AttemptView[];
  retryLimit: number;
  retryLost: number;
}

function checkCounts({ verdicts, outcomes, attempts, retryLimit, retryLost }: Counted, add: Add): void {
  const failed = attempts.filter(({ result }) => result === 'failed').length;
  const lost = attempts.filter(({ result }) => result === 'lost').length;
  if (failed > retryLimit + 1) add('I5', `${String(failed)} failures with retry.limit ${String(retryLimit)}`);
  if (lost > retryLost + 1) add('I5', `${String(lost)} losses with retry.lost ${String(retryLost)}`);
  if (
    lost > retryLost &&
    verdicts[0] !== undefined &&
    verdicts[0].state !== 'lost' &&
    verdicts[0].state !== 'cancelled'
  ) {
    add(
      'I5',
      `${String(lost)} losses with retry.lost ${String(retryLost)}, and yet it went on to ${verdicts[0].state}`,
    );
  }
  const numbers = attempts.map(({ attempt }) => attempt);
  if (new Set(numbers).size < numbers.length) add('I5', `one attempt is listed twice: ${numbers.join(' ')}`);
  const final = verdicts[0];
  if (final?.state === 'failed') checkFailure({ final, outcomes, attempts }, add);
  const durable = outcomes.find(({ result }) => result === 'succeeded');
  if (final?.state === 'lost' && durable !== undefined)
    add('R7', `ended as lost though the success of run ${durable.run} was durable`);
  if (final?.state === 'lost' && attempts.length > 0 && lost < retryLost + 1) {
    add('I5', `ended as lost after ${String(lost)} losses, with retry.lost ${String(retryLost)}`);
  }
}

/** The attempt that ended a task as failed must have been counted as a failure, and be the newest of its task. */
function checkFailure(
  {
    final,
    outcomes,
    attempts,
  }: { final: Verdict; outcomes: readonly Outcome[]; attempts: readonly AttemptView[] },
  add: Add,
): void {
  if (!outcomes.some(({ run, result }) => run === final.run && result === 'failed')) {
    add('I5', `the failure of run ${final.run ?? '?'} is in no segment`);
  }
  const attempt = final.run?.split('-')[0];
  const listed = attempts.find((candidate) => candidate.attempt === attempt);
  if (listed !== undefined && listed.result !== 'failed')
    add('I5', `attempt ${listed.attempt} ended the task as failed, but was counted as ${listed.result}`);
  const newest = Math.max(...attempts.map((candidate) => parseAttemptId(candidate.attempt)?.n ?? 0));
  if (attempt !== undefined && attempts.length > 0 && (parseAttemptId(attempt)?.n ?? 0) < newest) {
    add('I5', `attempt ${attempt} ended the task as failed while ${String(newest)} was the newest`);
  }
}

function checkNoLoss(attempts: readonly AttemptView[], add: Add): void {
  for (const { attempt, result, reason } of attempts) {
    if (result === 'lost')
      add(
        'no-fault-no-loss',
        `attempt ${attempt} was counted as lost (${reason ?? 'no reason'}) though nothing failed`,
      );
  }
}
