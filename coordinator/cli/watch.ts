import { pause } from '../../shared/clock.ts';
import { EXIT } from '../../shared/errors.ts';
import type { JobEvent, JobView } from '../http/api.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';
import { DETACHED, exitCodeOfJob, isJobOver, worstExitCode } from './exit.ts';
import { openProgress, type Progress } from './output/progress.ts';
import { RateMeter, renderJobLine } from './progress-line.ts';
import { escapeCell } from './output/escape.ts';
import { describeEnd } from './wait.ts';

export interface WatchOptions {
  client: Client;
  /** Print how each ended and what to do next. */
  live: boolean;
}

const POLL_MS = 500;
const PLAIN_INTERVAL_MS = 1000;

/** Shows progress until all are over. The exit code is the worst of theirs, 130 after Ctrl-C. */
export async function watchJobs(
  context: Context,
  jobs: readonly string[],
  options: WatchOptions,
): Promise<number> {
  const signal = context.interrupted;
  const followed = jobs.map((job) => new FollowedJob(job));
  const progress = await openProgress(context.output, PLAIN_INTERVAL_MS);
  try {
    const views = await follow(followed, {
      client: options.client,
      progress,
      signal,
      colours: context.output.noteColours,
    });
    progress.stop();
    if (options.live) for (const view of views) context.output.note(describeEnd(view));
    return worstExitCode(views.map((view) => exitCodeOfJob(view) ?? EXIT.failed));
  } catch (error) {
    progress.stop();
    if (!signal.aborted) throw error;
    context.output.note(
      `Detached. The job goes on; "clobi watch ${followed.map(({ id }) => id).join(' ')}" comes back to it.`,
    );
    return DETACHED;
  }
}

export interface FollowOptions {
  client: Client;
  progress: Progress;
  signal: AbortSignal;
  colours: Context['output']['noteColours'];
}

/** Resolves with the final views once all jobs are over; rejects with the abort's reason when aborted. */
export const followJobs = (jobs: readonly string[], options: FollowOptions): Promise<JobView[]> =>
  follow(
    jobs.map((job) => new FollowedJob(job)),
    options,
  );

async function follow(followed: readonly FollowedJob[], options: FollowOptions): Promise<JobView[]> {
  for (;;) {
    const views: JobView[] = [];
    for (const job of followed) views.push(await job.look(options));
    options.progress.update(followed.map((job) => job.line(options)));
    if (views.every((view) => isJobOver(view.state))) return views;
    await pause(POLL_MS, options.signal);
    options.signal.throwIfAborted();
  }
}

class FollowedJob {
  readonly #rate = new RateMeter();
  #job: string;
  #view: JobView | undefined;
  #lastEvent = 0;

  constructor(job: string) {
    this.#job = job;
  }

  /** As it was given, and whole once it has been looked at. */
  get id(): string {
    return this.#job;
  }

  async look(options: FollowOptions): Promise<JobView> {
    if (this.#view !== undefined && isJobOver(this.#view.state)) return this.#view;
    const view = await options.client.get<JobView>(`/v1/jobs/${this.#job}`, {}, options.signal);
    // `last` may mean another job at the next call.
    this.#job = view.id;
    const troubles = view.counts.failed + view.counts.lost + view.counts.backoff;
    const before = this.#view;
    this.#view = view;
    this.#rate.add(Date.now(), view);
    if (
      troubles > 0 &&
      troubles !==
        (before === undefined ? 0 : before.counts.failed + before.counts.lost + before.counts.backoff)
    ) {
      await this.#sayFailures(options);
    }
    return view;
  }

  line(options: FollowOptions): string {
    const view = this.#view;
    return view === undefined
      ? ''
      : renderJobLine(view, {
          rate: this.#rate.perSecond(),
          now: Date.now(),
          colours: options.colours,
        });
  }

  /** The newest failures; many at once are cut, the job's end names the command that lists all. */
  async #sayFailures(options: FollowOptions): Promise<void> {
    const { events } = await options.client.get<{ events: JobEvent[] }>(`/v1/jobs/${this.#job}/events`, {
      after: this.#lastEvent,
    });
    this.#lastEvent = events.at(-1)?.seq ?? this.#lastEvent;
    const failures = events.filter((event) => event.task !== null && /fail|lost|loss/.test(event.type));
    for (const event of failures.slice(-MOST_FAILURES_AT_ONCE)) {
      options.progress.say(`  task ${event.task ?? ''}: ${escapeCell(event.text)}`);
    }
  }
}

const MOST_FAILURES_AT_ONCE = 3;
