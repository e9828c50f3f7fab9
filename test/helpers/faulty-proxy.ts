import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';

/** What befalls a request on its way. */
export type Fault =
  /** The server does what it is asked, and its answer never arrives: the connection breaks. */
  | { kind: 'lose-answer' }
  /** The server is never asked. */
  | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: string }
  /** The server is never asked, and nothing more is heard. */
  | { kind: 'silence' }
  /** The connection breaks after so many bytes of the answer's body. */
  | { kind: 'cut'; afterBytes: number };

export interface FaultyProxy extends AsyncDisposable {
  /** In the place of the server's own, with the path of it. */
  readonly url: string;
  /** Every request so far: `PUT /path?query`. */
  readonly requests: readonly string[];
  /** Asked for each request; undefined lets it pass. */
  fault: (request: { method: string; url: string }) => Fault | undefined;
}

/** A proxy before one HTTP server, for what networks and busy servers do. */
export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const requests: string[] = [];
  const server = createServer((request, answer) => {
    const { method = '', url = '' } = request;
    requests.push(`${method} ${url}`);
    void forward(new URL(target), request, answer, proxy.fault({ method, url }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const proxy: FaultyProxy = {
    url: `http://127.0.0.1:${String(port)}${new URL(target).pathname.replace(/\/$/, '')}`,
    requests,
    fault: () => undefined,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}

async function forward(
  { hostname, port }: URL,
  request: IncomingMessage,
  answer: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  if (fault?.kind === 'answer') {
    request.resume();
    answer.writeHead(fault.status, fault.headers).end(fault.body);
    return;
  }
  if (fault?.kind === 'silence') return;
  const { method, url: path, headers } = request;
  const onward = httpRequest({ hostname, port, method, path, headers });
  pipeline(request, onward, () => undefined);
  const [reply] = (await once(onward, 'response').catch(() => [])) as [IncomingMessage?];
  if (reply === undefined || fault?.kind === 'lose-answer') {
    reply?.resume();
    answer.destroy();
    return;
  }
  answer.writeHead(reply.statusCode ?? 502, reply.headers);
  if (fault?.kind === 'cut') await cut(reply, answer, fault.afterBytes);
  else pipeline(reply, answer, () => undefined);
}

async function cut(reply: IncomingMessage, answer: ServerResponse, afterBytes: number): Promise<void> {
  let left = afterBytes;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    const part = chunk.subarray(0, left);
    left -= part.length;
    await new Promise((resolve) => answer.write(part, resolve));
    if (left === 0) break;
  }
  answer.destroy();
}

/** The fault for the first request of this method whose path matches, then none. */
export function faultOnce(proxy: FaultyProxy, method: string, path: RegExp, fault: Fault): void {
  proxy.fault = (request) => {
    if (request.method !== method || !path.test(request.url)) return undefined;
    proxy.fault = () => undefined;
    return fault;
  };
}
