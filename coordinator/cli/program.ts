import { Command, Option } from 'commander';
import { CATALOG, FAMILIES } from './catalog/index.ts';
import { type CommandEntry, GROUPS, type OptionEntry } from './catalog/types.ts';
import { type Context, createContext, type GlobalOptions } from './context.ts';
import { OPTION_PARSERS } from './option-values.ts';
import { FORMATS } from './output/output.ts';

/** What a run of the program comes to. */
export interface Result {
  exitCode: number;
  /** Set once a command's context is there; failures are told through it. */
  context?: Context;
}

/** The commander program for the catalogue. `result` is filled by the command that runs. */
export function buildProgram(argv: readonly string[], result: Result = { exitCode: 0 }): Command {
  const program = new Command('clobi')
    .summary('Run a job file of ten or ten million tasks, and lose none of them')
    .usage('COMMAND [options]')
    .exitOverride()
    .showHelpAfterError('("--help" shows what is right)')
    .configureHelp({ showGlobalOptions: true, helpWidth: process.stdout.columns })
    .helpCommand('help [command]', 'show help for a command');
  addGlobalOptions(program);
  program
    .addHelpText('before', ROOT_HELP)
    .addHelpText('after', '\nNext: "clobi COMMAND --help" leads with examples.');
  const families = buildFamilies(program);
  for (const entry of CATALOG) {
    for (const path of [entry.path, ...(entry.alsoAt === undefined ? [] : [entry.alsoAt])]) {
      const space = path.indexOf(' ');
      const command = buildCommand({ entry, name: path.slice(space + 1), path }, { program, argv, result });
      const family = families.get(path.slice(0, Math.max(0, space)));
      family?.addCommand(command);
      // Help shows groups in the order in which they are added: that of the catalogue.
      const shown = family ?? command;
      if (!program.commands.includes(shown)) program.addCommand(shown);
    }
  }
  return program;
}

interface Place {
  entry: CommandEntry;
  name: string;
  path: string;
}

interface Run {
  program: Command;
  argv: readonly string[];
  result: Result;
}

const ROOT_HELP = `Clobi runs job files: ten or ten million tasks, on this machine or on many, and loses none of them.

Examples:
  $ clobi init && clobi run job.yaml      write a job file and run it here
  $ clobi run --each-line urls.txt -- curl -sSO {}
  $ clobi coordinator start               then, in other terminals:
  $ clobi agent start
  $ clobi submit --watch job.yaml
`;

function addGlobalOptions(program: Command): void {
  program
    .addOption(
      new Option('-o, --format <format>', 'how data is printed on stdout').choices(FORMATS).default('table'),
    )
    .option('-q, --quiet', 'print data and errors only')
    .option('--home <dir>', 'where the coordinator keeps its state (or CLOBI_HOME)')
    .helpOption('-h, --help', 'show this help');
}

function buildFamilies(program: Command): Map<string, Command> {
  return new Map(
    Object.entries(FAMILIES).map(([name, summary]) => {
      const examples = CATALOG.filter((entry) => entry.path.startsWith(`${name} `)).map(
        (entry) => entry.examples[0],
      );
      const family = new Command(name).summary(summary).copyInheritedSettings(program);
      family.addHelpText(
        'before',
        `${summary}\n\n${formatExamples(examples.filter((example) => example !== undefined))}`,
      );
      family.addHelpText('after', `\nNext: "clobi ${name} COMMAND --help" leads with examples.`);
      family.helpGroup(
        name === 'job' || name === 'task'
          ? GROUPS.work
          : name === 'schema' || name === 'demo'
            ? GROUPS.tools
            : GROUPS.services,
      );
      family.helpCommand(false).usage('COMMAND [options]');
      return [name, family];
    }),
  );
}

function buildCommand(place: Place, run: Run): Command {
  const { entry } = place;
  const command = new Command(place.name).summary(entry.summary).copyInheritedSettings(run.program);
  if (!place.path.includes(' ')) command.helpGroup(entry.group);
  for (const [name, help] of Object.entries(entry.arguments ?? {})) command.argument(name, help);
  for (const option of entry.options ?? []) command.addOption(buildOption(option));
  const details = entry.details === undefined ? '' : `\n\n${entry.details}`;
  command.addHelpText('before', `${entry.summary}${details}\n\n${formatExamples(entry.examples)}`);
  command.addHelpText('after', `\nNext: ${entry.next}`);
  return command.action(async () => {
    const context = createContext(run.program.opts<GlobalOptions>(), run.argv);
    run.result.context = context;
    const module = await entry.load();
    run.result.exitCode = (await module.run(context, command.args, command.opts<never>())) ?? 0;
  });
}

function buildOption(entry: OptionEntry): Option {
  const option = new Option(entry.flags, entry.help);
  if (entry.value !== undefined) option.argParser(OPTION_PARSERS[entry.value]);
  if (entry.choices !== undefined) option.choices(entry.choices);
  if (entry.default !== undefined) option.default(entry.default);
  return option;
}

function formatExamples(examples: CommandEntry['examples']): string {
  const width = Math.min(44, Math.max(...examples.map(([line]) => line.length)));
  const lines = examples.map(([line, what]) =>
    line.length > width
      ? `  $ clobi ${line}\n${' '.repeat(width + 13)}${what}`
      : `  $ clobi ${line.padEnd(width)}   ${what}`,
  );
  return `Examples:\n${lines.join('\n')}\n`;
}
