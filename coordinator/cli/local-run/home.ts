import { createHash } from 'node:crypto';
import { access, constants, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeDirectories } from '../../../shared/make-directories.ts';
import { ClobiError, messageOf } from '../../../shared/errors.ts';
import type { Submission } from '../../../shared/job-spec.ts';

/**
 * What `clobi run` keeps between two calls: the directory with everything of its coordinator and agent, and in it the
 * generation, which `--fresh` raises, so that the same jobs get other idempotency keys.
 */
export interface LocalHome {
  directory: string;
  generation: number;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** `.clobi/<name>-<hash>` in the current directory: the same files or the same command find the same one again. */
export function chooseDirectory(
  name: string,
  what: { files: readonly string[]; command: readonly string[] | undefined; eachLine: string | undefined },
): string {
  const lines = what.eachLine === undefined || what.eachLine === '-' ? what.eachLine : resolve(what.eachLine);
  const identity = JSON.stringify([
    what.files.map((file) => resolve(file)),
    what.command ?? null,
    lines ?? null,
  ]);
  return resolve('.clobi', `${name}-${sha256(identity).slice(0, 8)}`);
}

export async function openLocalHome(directory: string, fresh: boolean): Promise<LocalHome> {
  await makeHome(directory);
  const before = await readGeneration(directory);
  const generation = fresh ? before + 1 : before;
  const file = join(directory, 'run.json');
  await writeFile(`${file}.new`, `${JSON.stringify({ v: 1, generation })}\n`);
  await rename(`${file}.new`, file);
  return { directory, generation };
}

async function makeHome(directory: string): Promise<void> {
  try {
    makeDirectories(directory, 0o700);
    await access(directory, constants.W_OK);
  } catch (error) {
    throw new ClobiError(
      'USAGE',
      `What the run keeps cannot be written to ${directory}: ${messageOf(error)}. Name directories that can be written with --home and --results.`,
    );
  }
}

async function readGeneration(directory: string): Promise<number> {
  try {
    const { generation } = JSON.parse(await readFile(join(directory, 'run.json'), 'utf8')) as {
      generation?: unknown;
    };
    return typeof generation === 'number' && Number.isSafeInteger(generation) ? generation : 0;
  } catch {
    return 0;
  }
}

/** The same content gives the same key, so a submit of what was submitted before finds the first job. */
export const contentKey = (submission: Submission, generation: number): string =>
  `run:${generation}:${sha256(JSON.stringify([submission.spec, submission.items ?? null]))}`;
