import { dirname } from 'node:path';
import { makeDirectories } from '../../shared/make-directories.ts';
import { ClobiError, messageOf } from '../../shared/errors.ts';
import { dispatchState } from './dispatch.ts';
import { itemState } from './items.ts';
import { jobState } from './jobs.ts';
import { judgeState } from './judge.ts';
import { livenessState } from './liveness.ts';
import { overMarkState } from './over-marks.ts';
import { orderState } from './pool-orders.ts';
import { requestState } from './requests.ts';
import { rebuildState } from './rebuild.ts';
import { publishState } from './publications.ts';
import { Session } from './session.ts';
import { stagingState } from './staging.ts';
import type { RebuildState, Store } from './store.ts';
import { verdictState } from './verdicts.ts';
import { type Views, viewsOf } from './views.ts';

export type CoordinatorState = Store & RebuildState & Views;

/**
 * Opens the state in this file, made or brought to the newest version where needed. `random` in [0, 1) spreads backoffs.
 * Throws `CONFLICT` when the file is damaged.
 */
export function openState(file: string, random: () => number = Math.random): CoordinatorState {
  makeDirectories(dirname(file));
  const s = openSession(file, random);
  return {
    transaction: (work) => s.transaction(work),
    epoch: () => s.epoch,
    setEpoch: (epoch) => s.transaction(() => setEpoch(s, epoch)),
    close: () => {
      if (s.db.isOpen) s.db.close();
    },
    ...itemState(s),
    ...jobState(s),
    ...dispatchState(s),
    ...judgeState(s),
    ...livenessState(s),
    ...orderState(s),
    ...verdictState(s),
    ...overMarkState(s),
    ...stagingState(s),
    ...publishState(s),
    ...requestState(s),
    ...rebuildState(s),
    ...viewsOf(s),
  };
}

/** Verdict objects are numbered from 1 in each epoch; a batch under way gets its number anew. */
function setEpoch(s: Session, epoch: number): void {
  if (epoch === s.epoch) return;
  s.setMeta('epoch', epoch);
  s.setMeta('verdictNumber', 1);
  s.sql('DELETE FROM meta WHERE key = ?').run('verdictsUpTo');
  s.epoch = epoch;
}

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** True of what `openState` throws over a file that is no state of ours, or is one no more. */
export const isDamage = (error: unknown): boolean =>
  error instanceof ClobiError && isDamagedFile(error.cause);

function isDamagedFile(error: unknown): boolean {
  const code = (error as { errcode?: unknown } | null | undefined)?.errcode;
  return typeof code === 'number' && [SQLITE_CORRUPT, SQLITE_NOTADB].includes(code & 0xff);
}

function openSession(file: string, random: () => number): Session {
  try {
    return new Session(file, random);
  } catch (error) {
    if (!isDamagedFile(error)) throw error;
    throw new ClobiError(
      'CONFLICT',
      `The state ${file} is damaged (${messageOf(error)}). Run \`clobi coordinator rebuild\` to move it aside and bring its jobs back from the store.`,
      { cause: error },
    );
  }
}
