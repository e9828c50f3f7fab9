import type { JobState, TaskState } from '../../../shared/task-state.ts';
import { formatDuration } from '../../../shared/units-of-measure.ts';
import type { Colours } from './terminal.ts';

/** How values read in tables. Times are given in milliseconds since 1970. */

export const dash = (value: string | number | null | undefined): string =>
  value === null || value === undefined || value === '' ? '-' : String(value);

/** The two biggest units: `2h30m`, `45s`. */
export const formatSpan = (ms: number): string =>
  formatDuration(ms < 1000 ? ms : Math.round(ms / 1000) * 1000, 2);

export const formatAge = (at: number | null, now: number): string =>
  at === null ? '-' : formatSpan(now - at);

export const formatTime = (at: number | null): string => (at === null ? '-' : new Date(at).toISOString());

export const formatCount = (count: number): string => String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',');

/** `1 task`, `3 tasks`. */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;

export function colourOfState(state: JobState | TaskState, colours: Colours): (text: string) => string {
  switch (state) {
    case 'succeeded':
      return colours.green;
    case 'failed':
    case 'lost':
    case 'partial':
      return colours.red;
    case 'running':
    case 'dispatched':
      return colours.cyan;
    case 'cancelled':
    case 'held':
    case 'backoff':
      return colours.yellow;
    case 'queued':
    case 'blocked':
    case 'ready':
      return colours.dim;
    default:
      return state satisfies never;
  }
}
