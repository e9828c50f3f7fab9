import { join } from 'node:path';
import { ClobiError } from '../../../shared/errors.ts';
import { coordinatorDirectory } from '../../../shared/paths.ts';
import type { Context } from '../context.ts';
import { listLogFiles, readLog } from '../log-files.ts';
import { LineSplitter } from '../log-lines.ts';

interface Options {
  follow?: boolean;
  lines: number;
}

export async function run(context: Context, _args: readonly string[], options: Options): Promise<number> {
  const directory = join(coordinatorDirectory(context.home), 'logs');
  const follow = options.follow === true;
  if (!follow && (await listLogFiles(directory)).length === 0) {
    throw new ClobiError(
      'NOT_FOUND',
      `There is no log in ${directory}: no coordinator has run there. --home names another directory.`,
    );
  }
  const format = await chooseFormat(context);
  const splitter = new LineSplitter();
  const signal = follow ? context.interrupted : new AbortController().signal;
  for await (const chunk of readLog(directory, { lines: options.lines, follow, signal })) {
    await context.output.write(splitter.push(chunk).map(format).join(''));
  }
  await context.output.write(splitter.end().map(format).join(''));
  return 0;
}

/** Readable on a terminal, the JSON lines as they are elsewhere and for -o json. */
async function chooseFormat({ output }: Context): Promise<(line: string) => string> {
  if (output.streams.stdout.isTTY !== true || !output.isHuman) return (line) => `${line}\n`;
  const { prettyFactory } = await import('pino-pretty');
  // The keys of an object in a log line may come from anywhere; pino has escaped control characters in JSON already.
  const pretty = prettyFactory({ colorize: output.colours.isColorSupported, ignore: 'pid,hostname' });
  return (line) => pretty(line);
}
