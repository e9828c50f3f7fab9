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
  return shell === 'bash' ? BASH : captureLog(() => script(shell, 'clobi', 'clobi'));
}

/**
 * The package's own script for bash needs another package to be installed, offers no file names, and evaluates the line that is
 * being typed. The program answers with a word a line, a description after a tab, and a number of hints at the end:
 * 2 is "no blank after it", 4 "no file names".
 */
const BASH = `# bash completion for clobi
__clobi_complete() {
    local cur=\${COMP_WORDS[COMP_CWORD]} out line hints
    out=$(clobi complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return
    hints=\${out##*:}
    COMPREPLY=()
    while IFS= read -r line; do
        line=\${line%%$'\\t'*}
        if [[ -n $line && $line == "$cur"* ]]; then COMPREPLY+=("$line"); fi
    done <<< "\${out%:*}"
    if (( hints & 2 )) || [[ \${COMPREPLY[0]-} == */ ]]; then compopt -o nospace; fi
    if (( hints & 4 )); then compopt +o default; fi
}
complete -o default -F __clobi_complete clobi
`;

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
