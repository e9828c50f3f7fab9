import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** A server under test in a process of its own. It is killed with us, however we end. */
export interface Daemon {
  /** What it said lately. */
  output(): string;
  isAlive(): boolean;
  /** SIGKILL, and waits until it is gone. Twice is fine. */
  kill(): Promise<void>;
}

// When our end of the pipe closes, by `kill` or by our own death, the reader kills the server.
const KEEPER =
  'exec 3<&0; "$@" 3<&- </dev/null & server=$!; { read -r _ <&3; kill -9 $server; } & wait $server';

export function startDaemon(command: readonly string[], env: Record<string, string> = {}): Daemon {
  const child = spawn('sh', ['-c', KEEPER, 'keeper', ...command], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-20_000));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.stdin.on('error', () => undefined);
  const exited = once(child, 'exit');
  return {
    output: () => output,
    isAlive: () => isRunning(child),
    kill: async () => {
      child.stdin.end();
      await exited;
    },
  };
}

/** Runs a command to its end; rejects with what it said when it fails. */
export async function runCommand(command: readonly string[], env: Record<string, string>): Promise<string> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
    killSignal: 'SIGKILL',
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  await once(child, 'close');
  if (child.exitCode !== 0) throw new Error(`${command.join(' ')} failed: ${output}${errors}`);
  return output;
}

/** A port of the loopback interface that nothing uses at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;
