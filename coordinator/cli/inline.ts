import { basename } from 'node:path';

/** The placeholder that `--each-line` puts a line in the place of, as GNU parallel has it. */
const PLACEHOLDER = '{}';
const ITEM = '${{ item }}';

/** Text that is no template: a `${{` in it stays what it is. */
export const escapeTemplate = (text: string): string => text.replaceAll('${{', '$${{');

/** `{}` anywhere becomes the item; a command without `{}` gets the item as its last argument. */
export function placeItem(argv: readonly string[]): string[] {
  if (!argv.some((part) => part.includes(PLACEHOLDER))) return [...argv.map(escapeTemplate), ITEM];
  return argv.map((part) => part.split(PLACEHOLDER).map(escapeTemplate).join(ITEM));
}

/** Lines of a file as items: a last line break ends the last line, empty lines are left out. */
export const splitLines = (text: string): string[] =>
  text.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)).filter((line) => line !== '');

/** A job name from the program that runs: `./bin/render.sh` gives `render`. */
export function nameOfCommand(argv: readonly string[]): string {
  const name = basename(argv[0] ?? '').replace(/\.[A-Za-z0-9]+$/, '').replaceAll(/[^A-Za-z0-9._-]+/g, '-').replaceAll(/^[-.]+|[-.]+$/g, '');
  return name === '' ? 'command' : name.slice(0, 64);
}
