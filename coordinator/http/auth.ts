import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ClobiError } from '../../shared/errors.ts';

/** Answered without a token. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/healthz', '/openapi.json']);

/**
 * Who may ask: the Host must be one of ours (a page that rebinds its name to our address has another), an Origin, where a
 * browser sends one, too, and the token must be right.
 */
export function installAuth(app: FastifyInstance, token: string): void {
  const expected = digest(`Bearer ${token}`);
  app.addHook('onRequest', (request, _reply, done) => {
    requireOwnHost(request);
    if (!OPEN_PATHS.has(request.url.split('?')[0] ?? '')) requireToken(request, expected);
    done();
  });
}

function requireOwnHost(request: FastifyRequest): void {
  const host = request.headers.host ?? '';
  if (!isLoopback(host)) {
    throw new ClobiError(
      'FORBIDDEN_ORIGIN',
      `The host name "${host}" is not allowed; use 127.0.0.1 or localhost.`,
    );
  }
  const { origin } = request.headers;
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new ClobiError('FORBIDDEN_ORIGIN', `Requests from pages of "${origin}" are not allowed.`);
  }
}

const isLoopback = (host: string): boolean =>
  /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost|\[::1\])(:\d{1,5})?$/i.test(host);

function requireToken(request: FastifyRequest, expected: Buffer): void {
  const given = request.headers.authorization;
  if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
  const what = given === undefined ? 'No token was sent.' : 'The token is wrong.';
  throw new ClobiError(
    'UNAUTHORISED',
    `${what} Send "authorization: Bearer TOKEN" with the content of the file "token" of the coordinator's directory.`,
  );
}

/** Digests have one length, which the comparison needs and which hides that of the token. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
