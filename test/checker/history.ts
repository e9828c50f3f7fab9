import { readFileSync } from 'node:fs';
import type { AttemptView } from '../../coordinator/http/api.ts';
import type { TerminalState } from '../../shared/task-state.ts';

/**
 * What a client saw with its own eyes, as NDJSON: the jobs that were acknowledged to it, and the final
 * states that were shown to it. Together with the store this is all the checker knows.
 */
export type HistoryLine =
  | { type: 'acknowledged'; job: string; tasks: number; retryLimit: number; retryLost: number }
  | {
      type: 'shown';
      job: string;
      index: number;
      state: TerminalState;
      run: string | null;
      attempts?: AttemptView[];
    };

export interface History {
  jobs: Map<string, { tasks: number; retryLimit: number; retryLost: number }>;
  /** By task id, in the order seen: a final state may be seen more than once, but never another one. */
  shown: Map<string, Extract<HistoryLine, { type: 'shown' }>[]>;
}

export function readHistory(file: string): History {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return historyOf(lines.map((line) => JSON.parse(line) as HistoryLine));
}

export function historyOf(lines: readonly HistoryLine[]): History {
  const history: History = { jobs: new Map(), shown: new Map() };
  for (const line of lines) {
    if (line.type === 'acknowledged') history.jobs.set(line.job, line);
    else {
      const id = `${line.job}/${String(line.index)}`;
      history.shown.set(id, [...(history.shown.get(id) ?? []), line]);
    }
  }
  return history;
}
