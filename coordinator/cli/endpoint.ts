import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClobiError } from '../../shared/errors.ts';
import { coordinatorDirectory } from '../../shared/paths.ts';

/** Where the coordinator answers, and the token it wants. */
export interface Endpoint {
  url: string;
  token: string;
}

export interface EndpointFile {
  url: string;
  pid: number;
  startedAt: number;
}

/** CLOBI_URL and CLOBI_TOKEN, else what the coordinator of this home has left there. Throws `UNREACHABLE` when it left nothing. */
export function findEndpoint(home: string, env: NodeJS.ProcessEnv = process.env): Endpoint {
  const url = env['CLOBI_URL'] ?? readEndpointFile(home).url;
  return { url: checkUrl(url), token: env['CLOBI_TOKEN'] ?? readToken(home) };
}

export function readEndpointFile(home: string): EndpointFile {
  const path = join(coordinatorDirectory(home), 'endpoint.json');
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as EndpointFile;
  } catch (error) {
    const why = isMissing(error) ? 'no coordinator runs there' : `${path} cannot be read`;
    throw unreachable(`No coordinator of ${home} answers: ${why}.`, error);
  }
}

export const unreachable = (message: string, cause: unknown): ClobiError =>
  new ClobiError(
    'UNREACHABLE',
    `${message} Start one with "clobi coordinator start" (another directory: --home DIR or CLOBI_HOME), or use "clobi run".`,
    { cause },
  );

function readToken(home: string): string {
  const path = join(coordinatorDirectory(home), 'token');
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (isMissing(error)) return '';
    throw new ClobiError(
      'UNAUTHORISED',
      `The token file ${path} cannot be read. Are you the user who runs the coordinator? Else set CLOBI_TOKEN.`,
      { cause: error },
    );
  }
}

function checkUrl(url: string): string {
  if (URL.canParse(url) && /^https?:/.test(url)) return url.replace(/\/+$/, '');
  throw new ClobiError('USAGE', `CLOBI_URL is "${url}"; it must be like http://127.0.0.1:7475.`);
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
