import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer, globalAgent } from 'node:https';
import type { AddressInfo } from 'node:net';

const FOLDER = new URL('../fixtures/tls/', import.meta.url);
const certificate = readFileSync(new URL('certificate.pem', FOLDER));

export interface TlsServer extends AsyncDisposable {
  url: string;
}

/** A real server behind TLS on loopback, with a certificate that this process trusts from here on. */
export async function serveTls(handle: RequestListener): Promise<TlsServer> {
  const key = readFileSync(new URL('key.pem', FOLDER));
  const server = createServer({ key, cert: certificate }, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  globalAgent.options.ca = certificate;
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
