import { multistream, pino, type DestinationStream, type LevelWithSilent, type Logger } from 'pino';

export type Log = Logger;

export interface LogOptions {
  /** The part that speaks: `coordinator`, `agent`. */
  name: string;
  level?: LevelWithSilent;
  /** Lines go to stdout, readable on a terminal and JSON elsewhere; or to this stream as JSON; or nowhere. Default `stdout`. */
  to?: 'stdout' | 'nowhere' | DestinationStream;
  /** Path without number and extension: lines also go to `<file>.<n>.log`, rotated, and `current.log` beside it links to the newest. */
  file?: string;
}

const ROTATE_AT = '20m';
const ROTATED_FILES_KEPT = 5;

/** Fields whose value never reaches a log, at the top or up to two levels down. */
const SECRET_FIELDS = [
  'token',
  'authorization',
  'password',
  'secret',
  'privateKey',
  'apiKey',
  'cookie',
  'set-cookie',
];
const redact = {
  paths: SECRET_FIELDS.flatMap((field) => ['', '*', '*.*'].map((above) => `${above}["${field}"]`)),
  censor: '[redacted]',
};

/**
 * A logger whose streams write on this thread and at once: a process killed in the next moment has said what it had to say,
 * and there is nothing to flush at its end. A log that cannot be written (full disk, closed pipe) is lost silently: no work
 * is to fail for want of a log line.
 */
export async function createLogger({ name, level = 'info', to = 'stdout', file }: LogOptions): Promise<Log> {
  const streams: DestinationStream[] = [];
  if (to === 'stdout') streams.push(await stdoutStream());
  else if (to !== 'nowhere') streams.push(to);
  if (file !== undefined) streams.push(await rotatingFile(file));
  const entries = streams.map((stream) => ({ stream, level: 'trace' as const }));
  return pino({ name, level, redact, timestamp: pino.stdTimeFunctions.isoTime }, multistream(entries));
}

/** Says nothing. For tests and for parts used as a library. */
export const silentLogger: Log = pino({ enabled: false });

async function stdoutStream(): Promise<DestinationStream> {
  if (!process.stdout.isTTY) return pino.destination({ fd: 1, sync: true });
  const { default: pretty } = await import('pino-pretty');
  return pretty({
    destination: 1,
    sync: true,
    ignore: 'pid,hostname',
    colorize: process.env['NO_COLOR'] === undefined,
  });
}

async function rotatingFile(file: string): Promise<DestinationStream> {
  const { default: roll } = await import('pino-roll');
  const stream = await roll({
    file,
    size: ROTATE_AT,
    limit: { count: ROTATED_FILES_KEPT, removeOtherLogFiles: true },
    symlink: true,
    mkdir: true,
    sync: true,
  });
  stream.on('error', () => undefined);
  return stream;
}
