import { type Dirent, readdir } from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { glob } from 'tinyglobby';
import type { OutputRule } from '../../shared/job-spec.ts';
import { isReallyInside, staysInside } from './inside.ts';
import { TaskProblem } from './task-problem.ts';

/** A file to be kept: `path` as it goes by, `file` where its bytes are. */
export interface FoundOutput {
  path: string;
  file: string;
  sizeBytes: number;
}

/**
 * What the rules match in the work directory (a real path), by path. A file that cannot be kept is told to `onRefused`, which may throw.
 * Rejects with a `TaskProblem` (`output`).
 */
export async function findOutputs(
  rules: readonly OutputRule[],
  directory: string,
  onRefused: (problem: TaskProblem) => void,
): Promise<FoundOutput[]> {
  const found = new Map<string, FoundOutput>();
  for (const rule of rules) {
    const outputs = await findByRule(rule, directory, onRefused);
    if (outputs.length === 0 && rule.required)
      throw new TaskProblem(
        'output',
        `No file matches the required output "${rule.glob}". The command ended without writing it into its work directory.`,
      );
    for (const output of outputs) found.set(output.path, output);
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function findByRule(
  rule: OutputRule,
  directory: string,
  onRefused: (problem: TaskProblem) => void,
): Promise<FoundOutput[]> {
  const pattern = rule.glob.replace(/^(?:\.\/+)+/, '');
  if (!staysInside(pattern) || pattern.split('/').includes('..'))
    throw new TaskProblem(
      'output',
      `The output "${rule.glob}" is refused: an output is named relative to the work directory, without "..".`,
    );
  const paths = await glob([pattern], {
    cwd: directory,
    dot: true,
    followSymbolicLinks: false,
    fs: { readdir: readdirWithLinksAsFiles as typeof readdir },
  });
  const outputs: FoundOutput[] = [];
  for (const path of paths) {
    try {
      const output = await inspect(path, directory);
      if (output !== undefined) outputs.push(output);
    } catch (error) {
      if (!(error instanceof TaskProblem)) throw error;
      onRefused(error);
    }
  }
  return outputs;
}

/** Undefined for what is not kept: a link to a directory inside (its files are found under their own path). */
async function inspect(path: string, directory: string): Promise<FoundOutput | undefined> {
  const file = join(directory, path);
  try {
    if (!(await isReallyInside(directory, file)))
      throw new TaskProblem(
        'output',
        `The output "${path}" is refused: it is a link, or below one, that leads out of the work directory.`,
      );
    const target = (await lstat(file)).isSymbolicLink() ? await realpath(file) : file;
    const info = await stat(target);
    if (info.isDirectory()) return undefined;
    if (!info.isFile())
      throw new TaskProblem('output', `The output "${path}" is refused: it is no regular file.`);
    return { path, file: target, sizeBytes: info.size };
  } catch (error) {
    if (error instanceof TaskProblem) throw error;
    throw new TaskProblem(
      'output',
      `The output "${path}" cannot be read: it is a dangling link, or its name is not UTF-8.`,
      error,
    );
  }
}

type ReaddirCallback = (error: NodeJS.ErrnoException | null, entries: Dirent[]) => void;

/** Links go through the search as files: so they are found, never followed, and judged by us. */
function readdirWithLinksAsFiles(
  path: string,
  options: { withFileTypes: true },
  callback: ReaddirCallback,
): void {
  readdir(path, options, (error, entries) => {
    if (error !== null) {
      callback(error, []);
      return;
    }
    for (const entry of entries) {
      if (!entry.isSymbolicLink()) continue;
      entry.isSymbolicLink = () => false;
      entry.isFile = () => true;
    }
    callback(null, entries);
  });
}
