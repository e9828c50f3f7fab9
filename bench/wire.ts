import { readFile, writeFile } from 'node:fs/promises';
import { operationOf } from '../shared/providers/azure/operations.ts';
import { FaultProxy, type ProxiedRequest } from '../test/helpers/fault-proxy.ts';

export type CloudService = 'sqs' | 's3' | 'azure-queue' | 'azblob';
export type Who = 'coordinator' | 'agent';

/** Requests by who sent them and by operation, as `prices.ts` knows it: `agent sqs:SendMessageBatch`. */
export type Asked = Record<string, number>;

/** Stands between our processes and the emulators of one cloud, and counts what goes over the wire. */
export class Wire implements AsyncDisposable {
  readonly #counts = new Map<string, number>();
  readonly #stack = new AsyncDisposableStack();
  /** The agent's proxy by that of the coordinator. */
  readonly #agents = new Map<string, string>();

  /** The URL under which the coordinator reaches the server. */
  async before(service: CloudService, server: string): Promise<string> {
    const [coordinator, agent] = await Promise.all([
      this.#proxy('coordinator', service, server),
      this.#proxy('agent', service, server),
    ]);
    this.#agents.set(portOf(coordinator), portOf(agent));
    return coordinator;
  }

  /** The coordinator has written for an agent where everything is: it shall go by the proxies for agents. */
  async divertAgent(configFile: string): Promise<void> {
    let text = await readFile(configFile, 'utf8');
    for (const [from, to] of this.#agents)
      text = text.replaceAll(new RegExp(`(127\\.0\\.0\\.1(?::|%3A))${from}\\b`, 'g'), `$1${to}`);
    await writeFile(configFile, text);
  }

  counts(): Asked {
    return Object.fromEntries(this.#counts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #proxy(who: Who, service: CloudService, server: string): Promise<string> {
    const proxy = this.#stack.use(await FaultProxy.start(server));
    proxy.set((asked) => {
      const name = `${who} ${nameOf(service, asked)}`;
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
      return undefined;
    });
    return proxy.url;
  }
}

const portOf = (url: string): string => new URL(url).port;

function nameOf(service: CloudService, { method, url, operation }: ProxiedRequest): string {
  if (service === 'sqs') return `sqs:${operation}`;
  if (service === 's3') return `s3:${s3Operation(method, new URL(url, 'http://s3').searchParams)}`;
  return operationOf(service, method, new URL(url, 'http://azure').href);
}

function s3Operation(method: string, query: URLSearchParams): string {
  if (method === 'PUT') return query.has('partNumber') ? 'UploadPart' : 'PutObject';
  if (method === 'GET') return query.has('list-type') ? 'ListObjectsV2' : 'GetObject';
  return { HEAD: 'HeadObject', DELETE: 'DeleteObject', POST: 'PostObject' }[method] ?? method;
}

export const difference = (after: Asked, before: Asked): Asked =>
  Object.fromEntries(
    Object.entries(after)
      .map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
      .filter(([, count]) => count > 0),
  );
