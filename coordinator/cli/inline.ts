import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { ClobiError } from '../../shared/errors.ts';
import type { InlineJob } from '../../shared/job-file/inline.ts';
import type { JobSourceOptions } from './job-source.ts';

/** The job that a command after `--` and its options make, in the fields of a job file. */
export async function readInlineJob(
  command: readonly string[],
  options: JobSourceOptions,
): Promise<InlineJob> {
  const items = options.eachLine === undefined ? undefined : await readItems(options.eachLine);
  const { name, input, output, cpus, memory, timeout, retries } = options;
  const resources = {
    ...(cpus !== undefined && { cpus }),
    ...(memory !== undefined && { memory: `${memory}B` }),
  };
  return {
    command,
    ...(items && { items }),
    ...(name !== undefined && { name }),
    ...(input && { inputs: input }),
    ...(output && { outputs: output }),
    ...(Object.keys(resources).length > 0 && { resources }),
    ...(timeout !== undefined && { timeout: { run: `${timeout}ms` } }),
    ...(retries !== undefined && { retry: { limit: retries } }),
  };
}

async function readItems(file: string): Promise<string[]> {
  const items = splitLines(file === '-' ? await text(process.stdin) : await readFile(file, 'utf8'));
  if (items.length > 0) return items;
  throw new ClobiError(
    'USAGE',
    `${file === '-' ? 'Standard input' : file} has no line, so there is no task to run.`,
  );
}

/** A line break ends a line, it does not begin one; empty lines are left out. */
export const splitLines = (content: string): string[] =>
  content
    .split('\n')
    .map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
    .filter((line) => line !== '');
