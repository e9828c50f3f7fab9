import type { Submission } from '../../shared/job-spec.ts';
import type { JobSourceOptions } from './job-source.ts';
import type { Upload } from './uploads.ts';

export interface LoadedJob {
  name: string;
  submission: Submission;
  uploads: Upload[];
  dependsOnNames: string[];
}
export async function readJobFiles(_files: readonly string[], _owner: string | undefined): Promise<LoadedJob[]> { return []; }
export async function readInline(_inline: { name: string; command: string[]; items: string[] | undefined; options: JobSourceOptions }): Promise<LoadedJob> { throw new Error('x'); }
