import { type Command as Completed, RootCommand } from '@bomb.sh/tab';
import type { Command } from 'commander';
import type { JobView } from '../http/api.ts';
import { Client } from './client.ts';
import { homeDirectory } from '../../shared/paths.ts';

/** "Let the shell complete file names": directive 0 of the completion scripts. */
const FILES = ':0\n';
const PATIENCE_MS = 300;
const JOBS_OFFERED = 50;

/** Prints what may stand in the place of the last word, for the completion scripts. Never fails: then nothing is offered. */
export async function printCompletions(program: Command, words: readonly string[]): Promise<void> {
  const command = findCommand(program, words);
  const names = command.registeredArguments.map((argument) => argument.name());
  const current = words.at(-1) ?? '';
  if (names.some((name) => name.startsWith('file')) && !current.startsWith('-')) {
    process.stdout.write(FILES);
    return;
  }
  const jobs =
    names.some((name) => /^(jobs?|task)$/.test(name)) && !current.startsWith('-')
      ? await listJobs(valueOf('--home', words))
      : [];
  const root = new RootCommand();
  addOptions(root, program);
  addCommands(root, program, { path: [], jobs, everywhere: program });
  root.parse(words.map((word) => longForm([command, program], word)));
}

/** The completer knows the values of long options only. */
function longForm(commands: readonly Command[], word: string): string {
  const options = commands.flatMap((command) => command.options);
  return options.find(({ short }) => short === word)?.long ?? word;
}

function valueOf(option: string, words: readonly string[]): string | undefined {
  const at = words.indexOf(option);
  return at < 0 ? undefined : words[at + 1];
}

/** The deepest command that the words name. */
function findCommand(program: Command, words: readonly string[]): Command {
  let command = program;
  for (const word of words.slice(0, -1)) {
    command = command.commands.find((one) => one.name() === word) ?? command;
  }
  return command;
}

interface Place {
  path: readonly string[];
  jobs: readonly JobView[];
  /** Has the options that every command takes. */
  everywhere: Command;
}

function addCommands(root: RootCommand, parent: Command, place: Place): void {
  for (const command of parent.commands) {
    const path = [...place.path, command.name()];
    const completed = root.command(path.join(' '), command.summary());
    addOptions(completed, command);
    addOptions(completed, place.everywhere);
    for (const argument of command.registeredArguments)
      addArgument(completed, argument.name(), { ...place, variadic: argument.variadic });
    addCommands(root, command, { ...place, path });
  }
}

function addArgument(
  completed: Completed,
  name: string,
  { jobs, variadic }: Place & { variadic: boolean },
): void {
  const offer = (complete: (value: string, description: string) => void): void => {
    if (name === 'shell') for (const shell of ['bash', 'zsh', 'fish']) complete(shell, '');
    if (name === 'name') complete('job', 'job files');
    const isTask = name === 'task';
    if (!isTask && !name.startsWith('job')) return;
    complete(isTask ? 'last/' : 'last', 'the newest job');
    for (const job of jobs) complete(isTask ? `${job.id}/` : job.id, `${job.name}, ${job.state}`);
  };
  completed.argument(name, offer, variadic);
}

function addOptions(completed: Completed, command: Command): void {
  for (const { long, short, description, argChoices, required } of command.options) {
    const name = long?.replace(/^--/, '');
    if (name === undefined) continue;
    const alias = short?.slice(1);
    if (required)
      completed.option(
        name,
        description,
        (complete) => argChoices?.forEach((choice) => complete(choice, '')),
        alias,
      );
    else completed.option(name, description, alias);
  }
}

async function listJobs(home: string | undefined): Promise<JobView[]> {
  const client = new Client({
    home: homeDirectory(home),
    patienceMs: 0,
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  try {
    return (await client.get<{ jobs: JobView[] }>('/v1/jobs', { limit: JOBS_OFFERED })).jobs;
  } catch {
    return [];
  } finally {
    client.close();
  }
}
