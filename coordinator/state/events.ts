import { type JobRow, touchJob } from './job-rows.ts';
import type { Session } from './session.ts';

/** A job keeps this many of its latest events. */
const KEPT_EVENTS = 10_000;

export type EventType =
  | 'submitted'
  | 'released'
  | 'ready'
  | 'dispatched'
  | 'failed'
  | 'lost'
  | 'returned'
  | 'moved'
  | 'recalled'
  | 'superseded'
  | 'cancelled'
  | 'unpublished'
  | 'finished';

/** Writes down what a person would want to know. Nothing for a task that simply succeeds. */
export function logEvent(
  s: Session,
  job: JobRow,
  event: { at: number; type: EventType; task?: number; text: string },
): void {
  job.events += 1;
  touchJob(s, job);
  s.sql('INSERT INTO events(job, seq, at, type, task, text) VALUES (?, ?, ?, ?, ?, ?)').run(
    job.seq,
    job.events,
    event.at,
    event.type,
    event.task ?? null,
    event.text,
  );
  if (job.events > KEPT_EVENTS)
    s.sql('DELETE FROM events WHERE job = ? AND seq <= ?').run(job.seq, job.events - KEPT_EVENTS);
}
