import { TERMINAL_STATES } from '../../shared/task-state.ts';
import type { JobView } from '../http/api.ts';
import { escapeCell } from './output/escape.ts';
import type { Colours } from './output/terminal.ts';
import { colourOfState, formatCount, formatSpan } from './output/text.ts';

/** How fast tasks end, over the last ten seconds. */
const WINDOW_MS = 10_000;

type Counted = Pick<JobView, 'counts'>;

const countEnded = (job: Counted): number =>
  TERMINAL_STATES.reduce((sum, state) => sum + job.counts[state], 0);

export class RateMeter {
  #samples: { at: number; ended: number }[] = [];

  add(at: number, job: Counted): void {
    this.#samples.push({ at, ended: countEnded(job) });
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? at) < at - WINDOW_MS) this.#samples.shift();
  }

  /** Tasks a second; undefined while nothing has ended in the window. */
  perSecond(): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at === first.at || last.ended === first.ended)
      return undefined;
    return ((last.ended - first.ended) * 1000) / (last.at - first.at);
  }
}

const BAR = 20;

/** `render  ━━━━━━━─────  35%  350/1,000  2 running  1 failed  12/s  45s left`. */
export function renderJobLine(
  job: JobView,
  at: { rate: number | undefined; now: number; colours: Colours },
): string {
  const ended = countEnded(job);
  const share = job.tasks === 0 ? 1 : ended / job.tasks;
  const filled = Math.floor(share * BAR);
  const { colours } = at;
  const bad = job.counts.failed + job.counts.lost;
  const parts = [
    escapeCell(job.name),
    colours.green('━'.repeat(filled)) + colours.dim('─'.repeat(BAR - filled)),
    `${Math.floor(share * 100)}%`,
    `${formatCount(ended)}/${formatCount(job.tasks)}`,
    colourOfState(job.state, colours)(job.state),
    count(job.counts.running, 'running'),
    count(job.counts.backoff, 'waiting to retry'),
    count(job.counts.blocked, 'blocked'),
    bad > 0 ? colours.red(count(bad, 'failed')) : '',
    count(job.counts.cancelled, 'cancelled'),
    at.rate === undefined || job.endedAt !== null
      ? ''
      : `${at.rate >= 10 ? Math.round(at.rate) : at.rate.toFixed(1)}/s`,
    timeLeft(job, at),
  ];
  return parts.filter((part) => part !== '').join('  ');
}

const count = (number: number, what: string): string =>
  number === 0 ? '' : `${formatCount(number)} ${what}`;

function timeLeft(job: JobView, at: { rate: number | undefined; now: number }): string {
  if (job.endedAt !== null) return '';
  const byRate = at.rate === undefined ? null : at.now + ((job.tasks - countEnded(job)) / at.rate) * 1000;
  const end = job.expectedEndAt ?? byRate;
  return end === null || end <= at.now ? '' : `${formatSpan(Math.ceil((end - at.now) / 1000) * 1000)} left`;
}
