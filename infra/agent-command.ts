import { parseArgs } from 'node:util';
import { ClobiError, EXIT, messageOf } from '../shared/errors.ts';
import { parseBytes } from '../shared/units-of-measure.ts';

/** What the command line of the single-file agent says; the options that `runAgent` takes. */
export interface AgentCommand {
  pool: string;
  home?: string;
  configFile?: string;
  name?: string;
  slots?: number;
  cpus?: number;
  memoryBytes?: number;
  gpus?: number;
  diskBytes?: number;
  labels?: Record<string, string>;
}

export const HELP = `Usage: clobi-agent --pool NAME [options]

Runs one agent in the foreground. SIGTERM drains it, a second one stops it now. Needs Node 22.18 or newer.

  --pool NAME        the pool whose work it takes
  --home DIRECTORY   where its state is (default: $CLOBI_HOME, else ~/.local/state/clobi)
  --config FILE      the pool's agent.json (default: pools/NAME/agent.json in the home directory)
  --name NAME        its own name (default: the host name and a number)
  --slots N          tasks at the same time (default: one a processor)
  --cpus N           processors it gives to tasks
  --memory SIZE      memory it gives to tasks, like 8GiB
  --gpus N           GPUs it gives to tasks
  --disk SIZE        disk it gives to tasks (default: what is free)
  --label KEY=VALUE  what placement may ask for; may be repeated
  --help             this text

Exit codes: 0 drained, 2 wrong options or configuration, 3 no configuration of that pool, 6 the name is in use, 1 anything else.
`;

const TEXT = { type: 'string' } as const;
const OPTIONS = {
  pool: TEXT,
  home: TEXT,
  config: TEXT,
  name: TEXT,
  slots: TEXT,
  cpus: TEXT,
  memory: TEXT,
  gpus: TEXT,
  disk: TEXT,
  label: { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h' },
} as const;

export interface Streams {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
}

/** Runs the agent that the arguments describe; resolves to the exit code when it is gone, and says on stderr what went wrong. */
export async function runAgentCommand(
  args: readonly string[],
  runAgent: (command: AgentCommand) => Promise<void>,
  { stdout, stderr }: Streams = process,
): Promise<number> {
  try {
    const command = parseAgentCommand(args);
    if (command === 'help') stdout.write(HELP);
    else await runAgent(command);
    return EXIT.ok;
  } catch (error) {
    const isExpected = error instanceof ClobiError && error.code !== 'INTERNAL';
    stderr.write(
      `clobi-agent: ${isExpected || !(error instanceof Error) ? messageOf(error) : String(error.stack)}\n`,
    );
    return error instanceof ClobiError ? error.kind.exitCode : EXIT.failed;
  }
}

/** Throws `USAGE` with the option, its value and what is right. Bounds of numbers are the agent's to check. */
export function parseAgentCommand(args: readonly string[]): AgentCommand | 'help' {
  const values = readOptions(args);
  if (values.help === true) return 'help';
  const { pool, home, config, name, slots, cpus, memory, gpus, disk, label } = values;
  if (pool === undefined) throw usage('--pool is missing: it names the pool whose work the agent takes.');
  return {
    pool,
    ...(home !== undefined && { home }),
    ...(config !== undefined && { configFile: config }),
    ...(name !== undefined && { name }),
    ...(slots !== undefined && { slots: parseNumber('slots', slots) }),
    ...(cpus !== undefined && { cpus: parseNumber('cpus', cpus) }),
    ...(memory !== undefined && { memoryBytes: parseSize('memory', memory) }),
    ...(gpus !== undefined && { gpus: parseNumber('gpus', gpus) }),
    ...(disk !== undefined && { diskBytes: parseSize('disk', disk) }),
    ...(label !== undefined && { labels: Object.fromEntries(label.map(parseLabel)) }),
  };
}

const usage = (message: string, cause?: unknown): ClobiError =>
  new ClobiError('USAGE', `${message} "--help" shows all options.`, { cause });

function readOptions(args: readonly string[]) {
  try {
    return parseArgs({ args, options: OPTIONS }).values;
  } catch (error) {
    throw usage(messageOf(error), error);
  }
}

function parseNumber(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw usage(`--${option} "${text}" is no number.`);
  return value;
}

function parseSize(option: string, text: string): number {
  try {
    return parseBytes(text);
  } catch (error) {
    throw usage(`--${option} ${messageOf(error)}`, error);
  }
}

function parseLabel(text: string): [key: string, value: string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw usage(`--label "${text}" is no label: write KEY=VALUE.`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}
