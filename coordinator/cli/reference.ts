import type { Command } from 'commander';
import { CATALOG } from './catalog/index.ts';
import { type CommandEntry, GROUPS } from './catalog/types.ts';
import { buildProgram } from './program.ts';

/** docs/cli.md: every command with its examples, arguments and options, from what the program itself is made of. */
export function renderReference(): string {
  const program = buildProgram([]);
  const sections = Object.values(GROUPS).flatMap((group) => {
    const entries = CATALOG.filter((entry) => entry.group === group);
    return [
      `## ${group.replace(/:$/, '')}`,
      '',
      ...entries.flatMap((entry) => renderEntry(entry, findCommand(program, entry.path))),
    ];
  });
  return `${[...INTRODUCTION, ...renderOptions('Options everywhere', program), '', ...sections, ...EXIT_CODES].join('\n')}\n`;
}

const INTRODUCTION = [
  '# The command line',
  '',
  '`npx clobi COMMAND`. Data goes to stdout, everything else to stderr. A job is named by its id, the beginning of its id, or `last`;',
  'a task by `JOB/INDEX`. Ctrl-C while watching, waiting or following detaches; it never cancels a job.',
  '',
];

const EXIT_CODES = ['Exit codes are in [errors.md](errors.md).'];

function findCommand(program: Command, path: string): Command {
  let command = program;
  for (const name of path.split(' '))
    command = command.commands.find((one) => one.name() === name) ?? command;
  return command;
}

function renderEntry(entry: CommandEntry, command: Command): string[] {
  const also = entry.alsoAt === undefined ? [] : [`Also: \`clobi ${entry.alsoAt}\`.`, ''];
  const details = entry.details === undefined ? [] : [entry.details, ''];
  const examples = entry.examples.map(([line, what]) => `clobi ${line}  # ${what}`);
  return [
    `### clobi ${entry.path}`,
    '',
    `${entry.summary}.`,
    '',
    ...details,
    ...also,
    '```sh',
    ...examples,
    '```',
    '',
    `Usage: \`clobi ${entry.path} ${command.usage()}\``,
    '',
    ...renderOptions(undefined, command),
    ...(command.options.length > 0 ? [''] : []),
    `Next: ${entry.next}`,
    '',
  ];
}

function renderOptions(title: string | undefined, command: Command): string[] {
  if (command.options.length === 0) return [];
  const heading = title === undefined ? [] : [`## ${title}`, ''];
  const rows = command.options.map((option) => {
    const choices = option.argChoices === undefined ? '' : ` (${option.argChoices.join(', ')})`;
    const value: unknown = option.defaultValue;
    // A negated option is on by default; saying so would confuse.
    const preset = value === undefined || option.negate ? '' : `; default \`${JSON.stringify(value)}\``;
    return `| \`${option.flags}\` | ${`${option.description}${choices}${preset}`.replaceAll('|', '\\|')} |`;
  });
  return [...heading, '| option | meaning |', '|---|---|', ...rows];
}
