import { ClobiError } from '../../errors.ts';
import type { Meter } from '../meter.ts';
import type { CloudUrl } from '../url.ts';
import { credentialsProvider } from './credentials.ts';

const CONNECT_MS = 5_000;
/** Each waiting receive holds one. */
const SOCKETS = 200;

/** What the clients of all services have in common. The SDK is the only one to try again below the guard. */
export function commonConfig({ endpoint, credentials: name }: CloudUrl, region: string | undefined) {
  const credentials = credentialsProvider(name);
  return {
    maxAttempts: 3,
    retryMode: 'standard',
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

/** Bounds for a connection; each service adds how long an answer may take. */
export const commonHandler = () => ({
  connectionTimeout: CONNECT_MS,
  httpAgent: { keepAlive: true, maxSockets: SOCKETS },
  httpsAgent: { keepAlive: true, maxSockets: SOCKETS },
});

const clients = new WeakMap<Meter, Map<string, unknown>>();

/**
 * One client per service, region, endpoint, credentials and meter, for as long as the process lives: its connections are
 * kept alive and shared. Idle ones keep no process from ending.
 */
export function clientFor<C extends object>(url: CloudUrl, meter: Meter, make: () => C): C {
  const ofMeter = clients.get(meter) ?? new Map<string, unknown>();
  clients.set(meter, ofMeter);
  const region = url.kind === 'sqs' ? url.host : url.region;
  const name = JSON.stringify([url.kind, region, url.endpoint, url.credentials]);
  const known = ofMeter.get(name) as C | undefined;
  if (known !== undefined) return known;
  const client = make();
  countAttempts(client as Countable, url.kind, meter);
  ofMeter.set(name, client);
  return client;
}

/** The innermost step: it is passed once for each request that goes out, also when the SDK tries again. */
function countAttempts(client: Countable, service: string, meter: Meter): void {
  client.middlewareStack.add(
    (next, { commandName = 'Unknown' }) =>
      async (args) => {
        meter.count(`${service}:${commandName.replace(/Command$/, '')}`);
        return next(args);
      },
    { step: 'deserialize', priority: 'low', name: 'clobiMeter' },
  );
}

/** As much of a client as counting needs, whatever its service. */
interface Countable {
  middlewareStack: {
    add(
      middleware: (next: Step, context: { commandName?: string }) => Step,
      options: { step: 'deserialize'; priority: 'low'; name: string },
    ): void;
  };
}
type Step = (args: unknown) => Promise<unknown>;

/** Rejects what is no region, before any host name is made of it. */
export function checkRegion(region: string): string {
  if (/^[a-z0-9]+(-[a-z0-9]+)*$/.test(region)) return region;
  throw new ClobiError('INVALID_CONFIG', `"${region}" is no region of AWS; one is called eu-central-1.`);
}
