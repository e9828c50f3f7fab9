import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pause } from '../../shared/clock.ts';

/** What a network, or the server behind it, does to a request. */
export type Fault =
  | { kind: 'none' }
  /** The connection is reset, as by a machine without that server. */
  | { kind: 'refuse' }
  /** Taken and never answered: a half-open connection. */
  | { kind: 'silent' }
  /** An answer without anything done. */
  | { kind: 'status'; status: number; body?: string; headers?: Record<string, string> }
  /** The server has acted, and the answer is lost. */
  | { kind: 'lose-answer' }
  /** The connection breaks after so many bytes of the answer's body. */
  | { kind: 'cut'; afterBytes: number }
  | { kind: 'delay'; ms: number };

export interface ProxiedRequest {
  method: string;
  /** With its query. */
  url: string;
  /** The action of SQS, else the method. */
  operation: string;
}

const NONE: Fault = { kind: 'none' };

/**
 * An HTTP proxy before one server, for what networks and busy servers do; switched while the program under test runs.
 * Requests go on as they came, `Host` included, so that signatures hold.
 */
export class FaultProxy {
  /** In the place of the server's own, with the path of it. */
  readonly url: string;
  /** Requests that came, and of those the ones that a fault was done to. */
  seen = 0;
  harmed = 0;
  /** Requests by operation. */
  readonly asked = new Map<string, number>();
  readonly #target: URL;
  readonly #server: Server;
  #faultOf: (request: ProxiedRequest) => Fault = () => NONE;

  private constructor(target: URL, server: Server) {
    this.#target = target;
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${String(port)}${target.pathname.replace(/\/$/, '')}`;
    server.on('request', (incoming: IncomingMessage, answer: ServerResponse) => {
      this.#serve(incoming, answer).catch(() => incoming.socket.destroy());
    });
  }

  static async start(target: string): Promise<FaultProxy> {
    const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultProxy(new URL(target), server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** From now on, for every request or for those that it is given for. Takes effect on connections that are open, too. */
  set(fault: Fault | ((request: ProxiedRequest) => Fault | undefined)): void {
    this.#faultOf = typeof fault === 'function' ? (asked) => fault(asked) ?? NONE : () => fault;
    if (typeof fault === 'object' && fault.kind === 'refuse') this.#server.closeAllConnections();
  }

  /** For the first request of this method whose URL matches; then none. */
  setOnce(method: string, url: RegExp, fault: Fault): void {
    this.set((asked) => {
      if (asked.method !== method || !url.test(asked.url)) return undefined;
      this.set(NONE);
      return fault;
    });
  }

  async #serve(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const asked = describe(incoming);
    this.seen += 1;
    this.asked.set(asked.operation, (this.asked.get(asked.operation) ?? 0) + 1);
    const fault = this.#faultOf(asked);
    if (fault.kind !== 'none') this.harmed += 1;
    switch (fault.kind) {
      case 'refuse':
        incoming.socket.destroy();
        return;
      case 'silent':
        incoming.resume();
        return;
      case 'status':
        incoming.resume();
        answer.writeHead(fault.status, { 'content-type': 'application/xml', ...fault.headers });
        answer.end(fault.body);
        return;
      case 'delay':
        await pause(fault.ms);
        return this.#forward(incoming, answer, NONE);
      case 'none':
      case 'lose-answer':
      case 'cut':
        return this.#forward(incoming, answer, fault);
      default:
        return fault satisfies never;
    }
  }

  async #forward(incoming: IncomingMessage, answer: ServerResponse, fault: Fault): Promise<void> {
    const onward = request({
      host: this.#target.hostname,
      port: this.#target.port,
      method: incoming.method,
      path: incoming.url,
      // Names and values in the order and spelling in which they came.
      headers: [...incoming.rawHeaders],
      agent: false,
    });
    // Whoever gives up here gives up there: an aborted long poll must end at the server, too.
    answer.on('close', () => {
      if (!answer.writableFinished) onward.destroy();
    });
    incoming.pipe(onward);
    const [reply] = (await once(onward, 'response')) as [IncomingMessage];
    if (fault.kind === 'lose-answer') {
      reply.resume();
      await once(reply, 'end');
      incoming.socket.destroy();
      return;
    }
    answer.writeHead(reply.statusCode ?? 502, reply.rawHeaders);
    if (fault.kind === 'cut') await cut(reply, answer, fault.afterBytes);
    else reply.pipe(answer);
  }
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

function describe({ headers, method = '', url = '' }: IncomingMessage): ProxiedRequest {
  const action = headers['x-amz-target'];
  return { method, url, operation: typeof action === 'string' ? (action.split('.')[1] ?? action) : method };
}
