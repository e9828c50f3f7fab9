import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pause } from '../../shared/clock.ts';
import { ClobiError, ERROR_KINDS, type ErrorCode, messageOf } from '../../shared/errors.ts';
import { type Endpoint, findEndpoint, unreachable } from './endpoint.ts';

// An import statement would read every export of it, and one of them loads fetch: a quarter of the time a command takes.
const http = process.getBuiltinModule('node:http');

/**
 * The API as this machine's user calls it. Built on node:http, which loads in half the time of fetch and
 * has no limit of its own on how long an answer may take. Calls that may be repeated are repeated, with growing pauses, for
 * `patienceMs`; the endpoint is looked up anew each time, because a coordinator that came back may listen elsewhere.
 */
export interface ClientOptions {
  home: string;
  /** How long a coordinator that does not answer is waited for. */
  patienceMs?: number;
  signal?: AbortSignal;
  findEndpoint?: (home: string) => Endpoint;
}

export interface Call {
  method: 'GET' | 'POST' | 'PUT';
  path: string;
  query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as JSON, or as the bytes that the function opens anew at each try. */
  json?: unknown;
  bytes?: { sizeBytes?: number; open: () => Readable };
  headers?: Readonly<Record<string, string>>;
  /** A repetition does no harm: it is tried again when the answer did not come. */
  repeatable?: boolean;
  signal?: AbortSignal | undefined;
  /** HTTP statuses besides 2xx that are an answer and no error. */
  alsoFine?: readonly number[];
}

const DEFAULT_PATIENCE_MS = 1000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

export class Client {
  readonly #options: ClientOptions;
  #agent = new http.Agent({ keepAlive: true, maxSockets: 16 });

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get<T>(path: string, query?: Call['query'], signal?: AbortSignal): Promise<T> {
    return this.json<T>({ method: 'GET', path, ...(query && { query }), signal });
  }

  /** A POST is repeated only when told so: it carries an idempotency key, or says what shall be. */
  post<T>(path: string, json: unknown = {}, repeatable = false): Promise<T> {
    return this.json<T>({ method: 'POST', path, json, repeatable });
  }

  async json<T>(call: Call): Promise<T> {
    const text = await readText(await this.open(call));
    return JSON.parse(text === '' ? '{}' : text) as T;
  }

  /** The answer with its body still to be read. Rejects with the error the coordinator names, or `UNREACHABLE`. */
  async open(call: Call): Promise<IncomingMessage> {
    const repeatable = call.repeatable ?? call.method !== 'POST';
    const deadline = Date.now() + (this.#options.patienceMs ?? DEFAULT_PATIENCE_MS);
    const signal = call.signal ?? this.#options.signal;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        return await this.#once(call, signal);
      } catch (error) {
        signal?.throwIfAborted();
        const again = isWorthRepeating(error, repeatable) && Date.now() + pauseMs < deadline;
        if (!again) throw error;
        await pause(pauseMs, signal);
      }
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #once(call: Call, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    const endpoint = (this.#options.findEndpoint ?? findEndpoint)(this.#options.home);
    const response = await this.#send(endpoint, call, signal);
    const status = response.statusCode ?? 0;
    if ((status >= 200 && status < 300) || call.alsoFine?.includes(status) === true) return response;
    throw errorOf(status, await readText(response));
  }

  async #send(endpoint: Endpoint, call: Call, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    const url = new URL(endpoint.url + call.path + queryOf(call.query));
    const body = call.json === undefined ? undefined : Buffer.from(JSON.stringify(call.json));
    const size = body?.length ?? call.bytes?.sizeBytes;
    const headers = {
      authorization: `Bearer ${endpoint.token}`,
      ...(size !== undefined && { 'content-length': size }),
      'content-type': body === undefined ? 'application/octet-stream' : 'application/json',
      ...call.headers,
    };
    const secure = url.protocol === 'https:';
    const { request } = secure ? await import('node:https') : http;
    const options = {
      method: call.method,
      headers,
      ...(signal && { signal }),
      ...(!secure && { agent: this.#agent }),
    };
    return new Promise((resolve, reject) => {
      const sent = request(url, options, resolve);
      sent.on('error', (error) =>
        reject(unreachable(`No coordinator answers at ${endpoint.url}: ${error.message}.`, error)),
      );
      if (call.bytes === undefined) sent.end(body);
      else pipeline(call.bytes.open(), sent).catch((error: unknown) => sent.destroy(error as Error));
    });
  }
}

/**
 * Nobody listens: nothing can have happened, so any call may be repeated. An answer that broke off leaves that open.
 */
function isWorthRepeating(error: unknown, repeatable: boolean): boolean {
  if (!(error instanceof ClobiError) || !error.retryable || error.code === 'TIMED_OUT') return false;
  const refused =
    error.cause instanceof Error && 'code' in error.cause && error.cause.code === 'ECONNREFUSED';
  return repeatable || refused;
}

async function readText(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  try {
    for await (const part of response) parts.push(part as Buffer);
  } catch (error) {
    throw unreachable(`The coordinator’s answer broke off: ${messageOf(error)}.`, error);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** `{error: {code, message, context}}` → the same error here; anything else by its HTTP status. */
function errorOf(status: number, text: string): ClobiError {
  try {
    const { error } = JSON.parse(text) as {
      error?: { code?: string; message?: string; context?: Record<string, unknown> };
    };
    if (error?.code !== undefined && Object.hasOwn(ERROR_KINDS, error.code)) {
      return new ClobiError(error.code as ErrorCode, error.message ?? error.code, {
        context: error.context ?? {},
      });
    }
  } catch {
    // Not ours: a proxy's page, or half an answer.
  }
  const known: Readonly<Record<number, ErrorCode>> = {
    400: 'USAGE',
    401: 'UNAUTHORISED',
    403: 'FORBIDDEN_ORIGIN',
    404: 'NOT_FOUND',
    409: 'CONFLICT',
    413: 'LIMIT_EXCEEDED',
    429: 'RATE_LIMITED',
    502: 'UNAVAILABLE',
    503: 'UNAVAILABLE',
    504: 'TIMED_OUT',
  };
  return new ClobiError(
    known[status] ?? 'INTERNAL',
    `The coordinator answered with HTTP status ${status}: ${text.slice(0, 300)}`,
  );
}

function queryOf(query: Call['query']): string {
  const given = Object.entries(query ?? {}).filter(
    (entry): entry is [string, string | number] => entry[1] !== undefined,
  );
  return given.length === 0
    ? ''
    : `?${new URLSearchParams(given.map(([key, value]): [string, string] => [key, String(value)])).toString()}`;
}
