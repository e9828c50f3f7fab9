import { Agent as HttpAgent, type AgentOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Socket } from 'node:net';

interface Patience {
  connectMs: number;
  /** A server that says nothing for so long on an open connection is gone; the SDK tries again on another one. */
  silenceMs: number;
}

const PATIENCE: Patience = { connectMs: 5_000, silenceMs: 15_000 };

type CreateConnection = HttpAgent['createConnection'];

/** Connections are kept and shared; idle ones keep no process alive. */
export function impatientAgents(patience: Patience): { http: HttpAgent; https: HttpsAgent } {
  // Node sets a socket back to `timeout` when it goes from one request to the next.
  const options: AgentOptions = { keepAlive: true, timeout: patience.silenceMs };
  const http = new HttpAgent(options);
  const https = new HttpsAgent(options);
  for (const agent of [http, https]) {
    const connect = agent.createConnection.bind(agent);
    agent.createConnection = (...args: Parameters<CreateConnection>) => watch(connect(...args), patience);
    // A server's hint how long it keeps idle connections would else count for its next answer, too.
    const reuse = agent.reuseSocket.bind(agent);
    agent.reuseSocket = (connection, request) => {
      reuse(connection, request);
      if (connection instanceof Socket) connection.setTimeout(patience.silenceMs);
    };
  }
  return { http, https };
}

/** Node tells of a silent socket and leaves it open: a connection whose other end vanished would be waited on for ever. */
function watch<T>(connection: T, { connectMs, silenceMs }: Patience): T {
  if (!(connection instanceof Socket)) return connection;
  connection.setTimeout(connectMs);
  connection.once('connect', () => connection.setTimeout(silenceMs));
  connection.on('timeout', () => {
    const what = connection.connecting ? `no connection in ${connectMs} ms` : `silence of ${silenceMs} ms`;
    connection.destroy(Object.assign(new Error(`ETIMEDOUT: ${what}`), { code: 'ETIMEDOUT' }));
  });
  return connection;
}

const { http, https } = impatientAgents(PATIENCE);

/** One for all clients of this process. */
export const agentFor = (url: string): HttpAgent => (url.startsWith('https:') ? https : http);
