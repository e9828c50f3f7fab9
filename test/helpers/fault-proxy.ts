import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pause } from '../../shared/clock.ts';

/** What a network, or the server behind it, does to requests. Switched while the program under test runs. */
export type Fault =
  | { kind: 'none' }
  /** The connection is reset, as by a machine without that server. */
  | { kind: 'refuse' }
  /** Taken and never answered: a half-open connection. */
  | { kind: 'silent' }
  /** An answer without anything done. */
  | { kind: 'status'; status: number; body: string; headers?: Record<string, string> }
  /** The server has acted, and the answer is lost; one in so many. */
  | { kind: 'lose-answer'; oneIn: number }
  | { kind: 'delay'; ms: number };

/** An HTTP proxy before one server. Requests go on as they came, `Host` included, so that signatures hold. */
export class FaultProxy {
  readonly url: string;
  fault: Fault = { kind: 'none' };
  /** Requests that came, and of those the ones that a fault was done to. */
  seen = 0;
  harmed = 0;
  /** Requests by what they ask for: the action of SQS, else the method. */
  readonly asked = new Map<string, number>();
  readonly #target: URL;
  readonly #server: Server;

  private constructor(target: URL, server: Server) {
    this.#target = target;
    this.#server = server;
    this.url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
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

  /** A fault takes effect on connections that are open already, too. */
  set(fault: Fault): void {
    this.fault = fault;
    if (fault.kind === 'refuse') this.#server.closeAllConnections();
  }

  async #serve(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    this.seen += 1;
    const operation = operationOf(incoming);
    this.asked.set(operation, (this.asked.get(operation) ?? 0) + 1);
    const { fault } = this;
    if (fault.kind !== 'none') this.harmed += 1;
    switch (fault.kind) {
      case 'none':
        return this.#forward(incoming, answer);
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
      case 'lose-answer':
        return this.#forward(incoming, answer, this.seen % fault.oneIn === 0);
      case 'delay':
        await pause(fault.ms);
        return this.#forward(incoming, answer);
      default:
        return fault satisfies never;
    }
  }

  async #forward(incoming: IncomingMessage, answer: ServerResponse, lose = false): Promise<void> {
    const onward = request({
      host: this.#target.hostname,
      port: this.#target.port,
      method: incoming.method,
      path: incoming.url,
      headers: headersOf(incoming),
      agent: false,
    });
    // Whoever gives up here gives up there: an aborted long poll must end at the server, too.
    answer.on('close', () => {
      if (!answer.writableFinished) onward.destroy();
    });
    incoming.pipe(onward);
    const [reply] = (await once(onward, 'response')) as [IncomingMessage];
    if (lose) {
      reply.resume();
      await once(reply, 'end');
      incoming.socket.destroy();
      return;
    }
    answer.writeHead(reply.statusCode ?? 502, reply.rawHeaders);
    reply.pipe(answer);
  }
}

function operationOf({ headers, method = '' }: IncomingMessage): string {
  const action = headers['x-amz-target'];
  return typeof action === 'string' ? (action.split('.')[1] ?? action) : method;
}

/** Names and values in the order and spelling in which they came. */
function headersOf({ rawHeaders }: IncomingMessage): string[] {
  return [...rawHeaders];
}
