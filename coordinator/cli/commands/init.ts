import { writeFile } from 'node:fs/promises';
import { ClobiError } from '../../../shared/errors.ts';
import type { Context } from '../context.ts';

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const file = args[0] ?? 'job.yaml';
  try {
    await writeFile(file, TEMPLATE, { flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    throw new ClobiError(
      'CONFLICT',
      `${file} is there already and was left as it is. Give another name: clobi init NAME.yaml`,
      { cause: error },
    );
  }
  await context.output.write(`${file}\n`);
  context.output.note(
    `Wrote ${file}. "clobi run ${file}" runs it here; "clobi job validate ${file}" checks it after a change.`,
  );
}

const TEMPLATE = `# A Clobi job. "clobi job validate" checks it, "clobi run" runs it here, "clobi submit" gives it to a coordinator.
# Editors check while you type after: clobi schema print job > job.schema.json
# yaml-language-server: $schema=./job.schema.json
apiVersion: clobi/v1
name: hello

# One task for every item; \${{ item }} and \${{ task.index }} may stand in command, script, env, inputs and outputs.
array:
  items: [world, moon, stars]

# What a task runs: an argument vector, or a script for a shell.
script: |
  echo "Hello, \${{ item }}! I am task \${{ task.index }}."
  echo "Hello, \${{ item }}!" > greeting.txt
# command: [convert, in.png, out.jpg]

# Files that every task finds in its work directory.
# inputs:
#   - data/*.csv

# Files of the work directory to keep.
outputs:
  - greeting.txt

# What a task needs; memory it may not exceed.
resources:
  cpus: 1
  # memory: 2GiB

# timeout: { run: 10m }

# A failure is tried again so often; a task whose machine is gone does not count as one.
retry:
  limit: 1
`;
