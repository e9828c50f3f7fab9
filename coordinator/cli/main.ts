import { CommanderError } from 'commander';
import { EXIT } from '../../shared/errors.ts';
import { reportFailure } from './exit.ts';
import { Output } from './output/output.ts';
import { buildProgram, type Result } from './program.ts';

/** Runs one command line; sets the exit code of the process. */
export async function main(argv: readonly string[]): Promise<void> {
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed),
  );
  process.exitCode = await runProgram(argv);
}

async function runProgram(argv: readonly string[]): Promise<number> {
  const result: Result = { exitCode: EXIT.ok };
  try {
    if (argv[0] === 'complete') return await complete(argv);
    // `--version` alone is the command: options of the program itself are read wherever they stand.
    const words = argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V') ? ['version'] : argv;
    await buildProgram(words, result).parseAsync(words, { from: 'user' });
    return result.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return exitCodeOfUsage(error);
    return reportFailure(error, result.context?.output ?? new Output());
  }
}

/** Commander has printed the message; help and version asked for are no mistakes. */
const exitCodeOfUsage = (error: CommanderError): number => (error.exitCode === 0 ? EXIT.ok : EXIT.usage);

/** Called by the completion scripts: `clobi complete -- WORDS`. */
async function complete(argv: readonly string[]): Promise<number> {
  const { printCompletions } = await import('./complete.ts');
  await printCompletions(buildProgram(argv), argv.slice(argv.indexOf('--') + 1));
  return EXIT.ok;
}
