import { constants } from 'node:os';

/** How a task's own process ended. `killed`: the helper was ended with all its tree, by us or by somebody else. */
export type Exit =
  | { kind: 'code'; code: number }
  | { kind: 'signal'; signal: string }
  /** The system would not start the program. */
  | { kind: 'start'; message: string }
  | { kind: 'killed' };

/** Of two names for one number (SIGABRT, SIGIOT) the first. */
const SIGNALS = new Map(
  Object.entries(constants.signals)
    .reverse()
    .map(([name, number]) => [number, name]),
);

/** `SIGKILL` for 9; `SIG40` for numbers without a name. */
export const signalName = (number: number): string => SIGNALS.get(number) ?? `SIG${number}`;

/** Shells are silent about these two, so an exit code 130 or 141 cannot be told from them and is taken as a code. */
const SILENT: ReadonlySet<number> = new Set([constants.signals.SIGINT, constants.signals.SIGPIPE]);

/**
 * Whether the shell's status means a signal, which it reports as 128+n: it then also names the signal, in the words `name`
 * (empty for a shell that never does), as the last line of what was said.
 */
export function isSignal(status: number, name: string, said: string): boolean {
  const number = status - 128;
  if (number < 1 || number > 64 || SILENT.has(number)) return false;
  if (name === '') return true;
  const lastLine = said.trimEnd().split('\n').at(-1) ?? '';
  return lastLine === name || lastLine === `${name} (core dumped)`;
}

const SHELL_COMPLAINT = /^[^\n]*?: (?:line )?\d+: (?:exec: )?(.+): ([^:\n]+)\n?$/s;
const ENV_COMPLAINT = /^(?:\/usr\/bin\/)?env: ([^\n]+)\n?$/;

/** Why the program could not be started: the shell's or env's complaint, when that is all there is on stderr. */
export function startProblem(status: number, stderr: string, program: string): string | undefined {
  if (status !== 126 && status !== 127) return undefined;
  const shell = SHELL_COMPLAINT.exec(stderr);
  if (shell?.[1] === program) return shell[2];
  return ENV_COMPLAINT.exec(stderr)?.[1];
}
