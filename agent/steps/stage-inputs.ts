import { chmod, constants, copyFile, mkdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import PQueue from 'p-queue';
import { messageOf } from '../../shared/errors.ts';
import type { FileInput } from '../../shared/job-spec.ts';
import { inputKey } from '../../shared/wire/keys.ts';
import type { InputCache } from './input-cache.ts';
import { isReallyInside, staysInside } from './inside.ts';
import { TaskProblem } from './task-problem.ts';

const AT_A_TIME = 8;

/** Puts the inputs into the work directory (a real path). Rejects with a `TaskProblem`, or when aborted. */
export async function stageInputs(
  inputs: readonly FileInput[],
  directory: string,
  cache: InputCache,
  signal: AbortSignal,
): Promise<void> {
  const stage = async (input: FileInput): Promise<void> => {
    try {
      await stageInput(input, directory, cache, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TaskProblem) throw error;
      throw new TaskProblem(
        'input',
        `The input "${input.to}" could not be brought: ${messageOf(error)}`,
        error,
      );
    }
  };
  const queue = new PQueue({ concurrency: AT_A_TIME });
  await queue.addAll(inputs.filter(({ unpack }) => !unpack).map((input) => () => stage(input)));
  // One after the other: later archives may add to the directories of earlier ones.
  for (const input of inputs) if (input.unpack) await stage(input);
}

async function stageInput(
  input: FileInput,
  directory: string,
  cache: InputCache,
  signal: AbortSignal,
): Promise<void> {
  if (!staysInside(input.to))
    throw new TaskProblem('input', `The input "${input.to}" would be outside of the work directory.`);
  const target = join(directory, input.to);
  const parent = input.unpack ? target : dirname(target);
  await mkdir(parent, { recursive: true });
  if (!(await isReallyInside(directory, parent)))
    throw new TaskProblem(
      'input',
      `The input "${input.to}" would be outside of the work directory: a link in its path leads out.`,
    );
  const content = {
    sha256: input.sha256,
    sizeBytes: input.sizeBytes,
    key: input.key ?? inputKey(input.sha256),
  };
  await cache.use(
    content,
    (file) => (input.unpack ? unpack(file, target) : copy(file, target, input.executable)),
    signal,
  );
}

/** A copy, not a link: what a task does to its inputs must not reach the cache. Shares blocks where the disk can. */
async function copy(file: string, target: string, executable: boolean): Promise<void> {
  await unlink(target).catch(() => undefined);
  await copyFile(file, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  await chmod(target, executable ? 0o755 : 0o644);
}

/** tar makes absolute paths relative, and refuses `..` and writing through links; what it refuses or cannot read is an error here. */
async function unpack(file: string, target: string): Promise<void> {
  const { extract } = await import('tar');
  const problems: string[] = [];
  const onwarn = (code: string, message: string | Error): void => {
    if (code !== 'TAR_ENTRY_INFO') problems.push(messageOf(message));
  };
  await extract({ file, cwd: target, preserveOwner: false, onwarn });
  if (problems.length > 0)
    throw new Error(`the archive cannot be unpacked: ${problems.slice(0, 3).join('; ')}`);
}
