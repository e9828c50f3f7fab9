import { script } from '@bomb.sh/tab';
import { ClobiError } from '../../../shared/errors.ts';
import type { Context } from '../context.ts';

const SHELLS = ['bash', 'zsh', 'fish'];

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const shell = args[0] ?? '';
  if (!SHELLS.includes(shell))
    throw new ClobiError(
      'USAGE',
      `There is no completion for "${shell}"; there is for ${SHELLS.join(', ')}.`,
    );
  await context.output.write(completionScript(shell));
  context.output.note(
    `Save it where ${shell} finds it ("clobi completion --help" has the places), then open a new shell.`,
  );
}

export function completionScript(shell: string): string {
  const text = captureLog(() => script(shell, 'clobi', 'clobi'));
  // A second sourcing of the script must not fail on constants that are set already.
  return shell === 'bash' ? text.replaceAll(/^readonly /gm, '') : text;
}

/** The package prints its script in place of returning it. */
function captureLog(print: () => void): string {
  const { console } = globalThis;
  const original = console.log.bind(console);
  const lines: string[] = [];
  console.log = (line: string) => void lines.push(line);
  try {
    print();
  } finally {
    console.log = original;
  }
  return `${lines.join('\n')}\n`;
}
