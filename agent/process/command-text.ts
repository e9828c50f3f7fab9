import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

/** What one task executes. */
export interface Command {
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Its work directory. */
  directory: string;
  /** File that becomes its standard input. */
  stdin: string;
}

/** A command as the helper's shell takes it. */
export interface CommandText {
  text: string;
}

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Names that some shell refuses to set or gives a meaning of its own. */
const RESERVED = new Set([
  'OPTIND',
  'UID',
  'EUID',
  'PPID',
  'BASHOPTS',
  'SHELLOPTS',
  'BASH_VERSINFO',
  'LINENO',
  'RANDOM',
  'SECONDS',
]);

export const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** The command as one line of shell code, all streams connected; or why no shell could start it. */
export function commandText(
  command: Command,
  program: Program,
  streams: { stdout: string; stderr: string },
): CommandText | { problem: string } {
  const [assignments, foreign] = splitEnv(command.env);
  if (foreign.length > 0 && program.path.includes('='))
    return {
      problem: 'its path holds "=", which goes together only with environment names that are identifiers',
    };
  const words = [program.path, ...command.argv.slice(1)];
  if (foreign.length > 0) words.unshift('/usr/bin/env', ...foreign);
  const run = `${words.map(quote).join(' ')} <${quote(command.stdin)} >${quote(streams.stdout)} 2>${quote(streams.stderr)}`;
  const text = program.needsFork ? `(export ${assignments};exec ${run})` : `${assignments} ${run}`;
  if (text.includes('\0'))
    return { problem: 'its words or its environment hold a NUL character, which no program can be given' };
  return { text };
}

/** What a shell can set itself, as text, and what only `env` can. */
function splitEnv(env: Command['env']): [assignments: string, foreign: string[]] {
  let assignments = '';
  const foreign: string[] = [];
  for (const name of Object.keys(env)) {
    const value = env[name] ?? '';
    if (IDENTIFIER.test(name) && !RESERVED.has(name)) assignments += ` ${name}=${quote(value)}`;
    else foreign.push(`${name}=${value}`);
  }
  return [assignments, foreign];
}

export interface Program {
  path: string;
  /**
   * The shell forks a copy of itself first; otherwise it starts the program directly, which is a quarter cheaper.
   * A program started without a fork shares its stderr with the shell at the moment when the shell names the signal that
   * killed it. That is told apart from the program's own words except when the program is a shell script, which says the same of
   * its own children: so scripts and shells get the fork.
   */
  needsFork: boolean;
}

const SHELL = /\/(?:ba|da|a|k|mk|z|fi|tc|c)?sh$|\/busybox$/;

/** Finds programs by the PATH, as a shell would, and remembers them. */
export class Programs {
  readonly #known = new Map<string, Program>();

  /** Undefined when there is no such program in the PATH. */
  find(name: string, path: string, directory: string): Program | undefined {
    // Relative paths mean files of the task itself, new each time.
    if (name.includes('/') && !name.startsWith('/')) return { path: name, needsFork: true };
    const key = `${path}\n${name}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = name.includes('/') ? name : searchPath(name, path, directory);
    if (found === undefined) return undefined;
    const program = { path: found, needsFork: SHELL.test(found) || isScript(found) };
    if (!found.startsWith(`${directory}/`)) this.#known.set(key, program);
    return program;
  }

  /** After a program could not be started: it may have gone elsewhere. */
  forget(): void {
    this.#known.clear();
  }
}

function searchPath(name: string, path: string, directory: string): string | undefined {
  if (name === '') return undefined;
  return path
    .split(delimiter)
    .map((entry) => join(resolve(directory, entry), name))
    .find(isExecutable);
}

/** By us; what cannot be looked at is none. */
function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Not an ELF binary, or not to be read: then it may be a script. */
function isScript(path: string): boolean {
  try {
    const file = openSync(path, 'r');
    try {
      const magic = Buffer.alloc(4);
      readSync(file, magic);
      return magic.toString('latin1', 1) !== 'ELF';
    } finally {
      closeSync(file);
    }
  } catch {
    return true;
  }
}
