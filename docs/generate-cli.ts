/** Writes docs/cli.md from the command line program. With `--check` it writes nothing and exits 1 when it is out of date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { renderReference } from '../coordinator/cli/reference.ts';

const file = join(import.meta.dirname, 'cli.md');
const wanted = renderReference();
if (!process.argv.includes('--check')) writeFileSync(file, wanted);
else if (readFileSync(file, 'utf8') !== wanted) {
  process.stderr.write('docs/cli.md is out of date: run `node docs/generate-cli.ts`\n');
  process.exitCode = 1;
}
