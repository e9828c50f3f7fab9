import type { JobId } from '../../shared/ids.ts';
import { neededJob } from './job-rows.ts';
import type { Session } from './session.ts';
import type { StagingState } from './store.ts';

export const stagingState = (s: Session): StagingState => ({
  wasStaged: (store, sha256) =>
    s.sql('SELECT 1 FROM staged WHERE store = ? AND sha256 = ?').get(store, sha256) !== undefined,
  noteStaged: (store, sha256, now) =>
    s.transaction(() => {
      s.sql('INSERT OR REPLACE INTO staged(store, sha256, at) VALUES (?, ?, ?)').run(store, sha256, now);
    }),
  fetched: (job, url) => {
    const row = s
      .sql('SELECT sha256, size FROM fetched WHERE job = ? AND url = ?')
      .get(neededJob(s, job).seq, url);
    if (row === undefined) return undefined;
    return { sha256: row['sha256'] as string, sizeBytes: row['size'] as number };
  },
  noteFetched: (job: JobId, url, { sha256, sizeBytes }, now) =>
    s.transaction(() => {
      // The first one stays: units with its hash may be out already.
      s.sql('INSERT OR IGNORE INTO fetched(job, url, sha256, size, at) VALUES (?, ?, ?, ?, ?)').run(
        neededJob(s, job).seq,
        url,
        sha256,
        sizeBytes,
        now,
      );
    }),
});
