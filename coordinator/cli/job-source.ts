import { ClobiError } from '../../shared/errors.ts';
import type { Context } from './context.ts';
import { readInlineJob } from './inline.ts';
import { readJobFiles, type SourcedJob } from './job-files.ts';

/** Where jobs come from: files, or a command after `--`; and what options change in them. */
export interface JobSourceOptions {
  name?: string;
  priority?: number;
  owner?: string;
  label?: Record<string, string>;
  hold?: boolean;
  eachLine?: string;
  input?: string[];
  output?: string[];
  cpus?: number;
  memory?: number;
  timeout?: number;
  retries?: number;
}

const INLINE_ONLY = ['eachLine', 'input', 'output', 'cpus', 'memory', 'timeout', 'retries'] as const;

/** Everything that is wrong with the files comes as one `INVALID_JOB`. */
export async function loadJobs(
  context: Context,
  args: readonly string[],
  options: JobSourceOptions,
): Promise<SourcedJob[]> {
  const command = context.afterDashes;
  const files = command === undefined ? args : args.slice(0, args.length - command.length);
  if (command !== undefined && files.length > 0) {
    throw new ClobiError(
      'USAGE',
      `Give job files or a command after --, not both (files: ${files.join(' ')}).`,
    );
  }
  const jobs =
    command === undefined ? await loadFiles(files, options) : [await loadCommand(command, options)];
  return applyOptions(jobs, options);
}

async function loadFiles(files: readonly string[], options: JobSourceOptions): Promise<SourcedJob[]> {
  if (files.length === 0) {
    throw new ClobiError(
      'USAGE',
      'Give a job file ("clobi init" writes one), or a command after --: clobi run -- CMD ARGS.',
    );
  }
  const misplaced = INLINE_ONLY.find((name) => options[name] !== undefined);
  if (misplaced !== undefined) {
    const flag = misplaced === 'eachLine' ? 'each-line' : misplaced;
    throw new ClobiError(
      'USAGE',
      `--${flag} goes with a command after --; with a job file, write it in the file.`,
    );
  }
  return readJobFiles(files, options.owner);
}

async function loadCommand(command: readonly string[], options: JobSourceOptions): Promise<SourcedJob> {
  if (command.length === 0) throw new ClobiError('USAGE', 'The command after -- is missing.');
  const { compileInline } = await import('../../shared/job-file/inline.ts');
  const job = await readInlineJob(command, options);
  return {
    ...(await compileInline(job, options.owner === undefined ? {} : { owner: options.owner })),
    source: 'command line',
  };
}

function applyOptions(jobs: SourcedJob[], options: JobSourceOptions): SourcedJob[] {
  if (options.name !== undefined && jobs.length > 1) {
    throw new ClobiError(
      'USAGE',
      `--name fits one job; there are ${jobs.length}: ${jobs.map((job) => job.name).join(', ')}.`,
    );
  }
  const { name, priority } = options;
  if (priority !== undefined && Math.abs(priority) > 1000) {
    throw new ClobiError('USAGE', `--priority is ${priority}; it must be from -1000 to 1000.`);
  }
  return jobs.map((job) => ({
    ...job,
    ...(name !== undefined && { name }),
    submission: {
      ...job.submission,
      spec: {
        ...job.submission.spec,
        ...(name !== undefined && { name }),
        ...(priority !== undefined && { priority }),
        ...(options.hold === true && { hold: true }),
        labels: { ...job.submission.spec.labels, ...options.label },
      },
    },
  }));
}
