import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

export interface Asked {
  method: string;
  /** Path and query. */
  url: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

/**
 * A server on loopback that answers what the test says: for answers that no emulator gives. What it proves is how the
 * real client takes them, not that a cloud gives them.
 */
export async function startAnswering(
  answer: (asked: Asked, response: ServerResponse, count: number) => void,
): Promise<AsyncDisposable & { endpoint: string; asked: readonly Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const { method = '', url = '', headers } = request;
      asked.push({ method, url, headers, body });
      answer({ method, url, headers, body }, response, asked.length);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** As S3 says an error. */
export function xmlError(
  response: ServerResponse,
  status: number,
  { code, more = '', headers = {} }: { code: string; more?: string; headers?: Record<string, string> },
): void {
  response.writeHead(status, { 'content-type': 'application/xml', ...headers });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>said so</Message>${more}</Error>`);
}

/** As SQS says anything. */
export function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
  response.end(JSON.stringify(body));
}
