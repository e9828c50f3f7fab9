import { ClobiError, isCode } from '../../shared/errors.ts';
import type { LoadedJob } from '../../shared/job-file/load.ts';
import type { Problem } from '../../shared/job-file/problems.ts';

/** A job read from a file or made from the command line. Names are unique within one source. */
export interface SourcedJob extends LoadedJob {
  source: string;
}

/** Reads them all, each job after those it waits for. What is wrong in any of them comes as one `INVALID_JOB`. */
export async function readJobFiles(
  files: readonly string[],
  owner: string | undefined,
): Promise<SourcedJob[]> {
  const { loadJobFile } = await import('../../shared/job-file/load.ts');
  const jobs: SourcedJob[] = [];
  const problems: Problem[] = [];
  for (const source of files) {
    try {
      const loaded = await loadJobFile(source, owner === undefined ? {} : { owner });
      jobs.push(...loaded.map((job) => ({ ...job, source })));
    } catch (error) {
      problems.push(...problemsOf(error));
    }
  }
  if (problems.length === 0) return jobs;
  const { problemsError } = await import('../../shared/job-file/problems.ts');
  throw problemsError(problems);
}

/** Rethrows what is no list of problems. */
function problemsOf(error: unknown): Problem[] {
  const isAboutFile = isCode(error, 'INVALID_JOB') || isCode(error, 'LIMIT_EXCEEDED');
  if (isAboutFile && error instanceof ClobiError && Array.isArray(error.context['problems'])) {
    return error.context['problems'] as Problem[];
  }
  throw error;
}
