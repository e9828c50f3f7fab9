import { Agent as HttpAgent, type AgentOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Socket } from 'node:net';

/** A server that says nothing for so long on an open connection is gone; the SDK tries again on another one. */
const SILENCE_MS = 15_000;
const CONNECT_MS = 5_000;

type CreateConnection = HttpAgent['createConnection'];

/** Node tells of a silent socket and leaves it open: a connection whose other end vanished would be waited on for ever. */
class ImpatientHttpAgent extends HttpAgent {
  override createConnection(...args: Parameters<CreateConnection>): ReturnType<CreateConnection> {
    return watch(super.createConnection(...args));
  }
}

class ImpatientHttpsAgent extends HttpsAgent {
  override createConnection(...args: Parameters<CreateConnection>): ReturnType<CreateConnection> {
    return watch(super.createConnection(...args));
  }
}

function watch<T>(connection: T): T {
  if (!(connection instanceof Socket)) return connection;
  connection.setTimeout(CONNECT_MS);
  connection.once('connect', () => connection.setTimeout(SILENCE_MS));
  connection.on('timeout', () => {
    const what = connection.connecting ? `no connection in ${CONNECT_MS} ms` : `silence of ${SILENCE_MS} ms`;
    connection.destroy(Object.assign(new Error(`ETIMEDOUT: ${what}`), { code: 'ETIMEDOUT' }));
  });
  return connection;
}

/** `timeout` is what Node sets a socket back to when it goes from one request to the next. */
const OPTIONS: AgentOptions = { keepAlive: true, timeout: SILENCE_MS };

const http = new ImpatientHttpAgent(OPTIONS);
const https = new ImpatientHttpsAgent(OPTIONS);

/** One for all clients of this process: connections are kept and shared. Idle ones keep no process alive. */
export const agentFor = (url: string): HttpAgent => (url.startsWith('https:') ? https : http);
