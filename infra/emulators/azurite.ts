import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../../shared/temporary.ts';

const PROGRAM = fileURLToPath(new URL('../../node_modules/azurite/dist/src/azurite.js', import.meta.url));

/** The account of every Azurite, and its key, which Microsoft publishes: no secret. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/** An emulated Azure storage account: a process of its own on free ports, with its data in a temporary directory. */
export interface Azurite extends AsyncDisposable {
  readonly account: string;
  /** What our providers need in their environment to be let in. */
  readonly env: Readonly<Record<string, string>>;
  readonly endpoints: Endpoints;
  queueUrl(name: string): string;
  /** `prefix` without slashes at its ends, or empty. */
  storeUrl(container: string, prefix?: string): string;
  /** As the power going off: what it acknowledged a moment ago may be lost. */
  kill(): Promise<void>;
  /** Starts it again on the same ports with the same data. */
  restart(): Promise<void>;
}

interface Endpoints {
  queue: string;
  blob: string;
}

export async function startAzurite(): Promise<Azurite> {
  const directory = await temporaryDirectory();
  let running = await launch(directory.path, { blob: '0', queue: '0', table: '0' });
  const { ports } = running;
  const endpoint = (port: string): string => `http://127.0.0.1:${port}/${ACCOUNT}`;
  const endpoints = { queue: endpoint(ports.queue), blob: endpoint(ports.blob) };
  const stop = async (signal: NodeJS.Signals): Promise<void> => end(running.child, signal);
  return {
    account: ACCOUNT,
    env: { AZURE_STORAGE_ACCOUNT: ACCOUNT, AZURE_STORAGE_KEY: KEY },
    endpoints,
    queueUrl: (name) => `azure-queue://${ACCOUNT}/${name}?endpoint=${encodeURIComponent(endpoints.queue)}`,
    storeUrl: (container, prefix = '') =>
      `azblob://${ACCOUNT}/${container}${prefix === '' ? '' : `/${prefix}`}?endpoint=${encodeURIComponent(endpoints.blob)}`,
    kill: () => stop('SIGKILL'),
    restart: async () => {
      await stop('SIGTERM');
      running = await launch(directory.path, ports);
    },
    [Symbol.asyncDispose]: async () => {
      await stop('SIGKILL');
      await directory[Symbol.asyncDispose]();
    },
  };
}

interface Running {
  child: ChildProcess;
  ports: Ports;
}

type Ports = Record<'blob' | 'queue' | 'table', string>;

async function launch(location: string, wanted: Ports): Promise<Running> {
  const options = ['--silent', '--disableTelemetry', '--skipApiVersionCheck', '--location', location];
  const ports = Object.entries(wanted).flatMap(([service, port]) => [`--${service}Port`, port]);
  const child = spawn(process.execPath, [PROGRAM, ...options, ...ports], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: location,
  });
  const killAtExit = (): unknown => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  child.once('exit', () => process.off('exit', killAtExit));
  return { child, ports: await listening(child) };
}

/** The ports it says it listens at. */
async function listening(child: ChildProcess): Promise<Ports> {
  const ports: Partial<Ports> = {};
  if (child.stdout === null) throw new Error('Azurite has no output');
  for await (const line of createInterface({ input: child.stdout })) {
    const [, service, port] = /Azurite (\w+) service is successfully listening at .*:(\d+)$/.exec(line) ?? [];
    if (service === undefined || port === undefined) continue;
    ports[service.toLowerCase() as keyof Ports] = port;
    const { blob, queue, table } = ports;
    if (blob === undefined || queue === undefined || table === undefined) continue;
    return { blob, queue, table };
  }
  throw new Error('Azurite ended before it listened');
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
