import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { coordinatorDirectory } from '../../shared/paths.ts';
import { writeWhole } from './pools.ts';

const endpointFile = (home: string): string => join(coordinatorDirectory(home), 'endpoint.json');

/** Listens where configured, or on a free port where that one is taken. Gives the URL. */
export async function listenOn(app: FastifyInstance, address: string): Promise<string> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replaceAll(/[[\]]/g, '');
  const port = Number(address.slice(colon + 1));
  try {
    return await app.listen({ host, port });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    app.log.warn({ address }, 'the address is taken; listening on a free port');
    return app.listen({ host, port: 0 });
  }
}

/** Tells the CLI where we are. */
export function writeEndpoint(home: string, endpoint: { url: string; pid: number; startedAt: number }): void {
  writeWhole(endpointFile(home), `${JSON.stringify(endpoint)}\n`);
}

export const removeEndpoint = (home: string): void => rmSync(endpointFile(home), { force: true });
