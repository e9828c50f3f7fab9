import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { Client } from '../../../../coordinator/cli/client.ts';
import { Output, type OutputOptions } from '../../../../coordinator/cli/output/output.ts';
import type { JobView } from '../../../../coordinator/http/api.ts';
import { noTasks } from '../../../../shared/task-state.ts';

/** A stream that keeps what is written to it; a terminal when it has columns. */
class Kept extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number | undefined;
  constructor(columns?: number) {
    super();
    this.isTTY = columns !== undefined;
    this.columns = columns;
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

export function keptOutput(
  options: OutputOptions = {},
  columns?: number,
): { output: Output; stdout: Kept; stderr: Kept } {
  const stdout = new Kept(columns);
  const stderr = new Kept(columns);
  return { output: new Output({ ...options, streams: { stdout, stderr } }), stdout, stderr };
}

export interface Served extends AsyncDisposable {
  client: Client;
  url: string;
  close(): Promise<void>;
}

/** A real HTTP server on loopback, and a client for it. */
export async function serve(handle: http.RequestListener, patienceMs = 2000): Promise<Served> {
  const server = http.createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new Client({ home: '/nowhere', patienceMs, findEndpoint: () => ({ url, token: 'secret' }) });
  const close = async (): Promise<void> => {
    client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { client, url, close, [Symbol.asyncDispose]: close };
}

export const jobView = (changes: Partial<JobView> = {}): JobView => ({
  id: '01M85JHRSFAZFW5ZZYZ8HCT926',
  name: 'hello',
  owner: 'ada',
  labels: {},
  priority: 0,
  state: 'running',
  tasks: 10,
  counts: { ...noTasks(), succeeded: 3, running: 2, ready: 5 },
  submittedAt: 1_000_000,
  startedAt: 1_010_000,
  endedAt: null,
  meanTaskMs: 500,
  expectedEndAt: null,
  cancelReason: null,
  retryOf: null,
  retriedBy: [],
  held: false,
  requests: { count: 0, usd: 0, operations: {} },
  movedTo: null,
  ...changes,
});
