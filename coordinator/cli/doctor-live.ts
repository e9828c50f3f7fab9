import { randomBytes } from 'node:crypto';
import { messageOf } from '../../shared/errors.ts';
import { probeName } from '../../shared/providers/manage.ts';
import { leaseProbes } from '../../shared/providers/probes/leases.ts';
import { type ProbePlace, probeQueue, probeStore, traitsOf } from '../../shared/providers/probes/places.ts';
import { queueProbes } from '../../shared/providers/probes/queue.ts';
import { STORE_PROBES } from '../../shared/providers/probes/store.ts';
import type { PoolConfig } from '../config-pools.ts';
import type { Finding } from './doctor.ts';

export interface LiveOptions {
  ns: string;
  /** Nothing new is begun once it aborts; what was made is removed all the same. */
  signal: AbortSignal;
  /** Told of each probe as it begins. */
  onProbe: (check: string) => void;
}

interface LiveProbe {
  check: string;
  /** In a place of its own, which it makes and removes. */
  run: (name: string) => Promise<void>;
}

/**
 * The conformance probes against a pool's real queue service and store, each in a queue or below a prefix of its own,
 * `<ns>-probe-…`, which is removed again. Never rejects. Gives what was found until it was interrupted.
 */
export async function probePool(pool: PoolConfig, options: LiveOptions): Promise<Finding[]> {
  const run = randomBytes(6).toString('hex');
  const findings: Finding[] = [];
  const isStopped = (): boolean => options.signal.aborted;
  for (const [number, { check, run: probe }] of probesOf(pool, options.signal).entries()) {
    if (isStopped()) break;
    options.onProbe(check);
    const startedAt = performance.now();
    const problem = await probe(probeName(options.ns, run, number)).then(() => undefined, messageOf);
    if (isStopped()) break;
    const found =
      problem?.split('\n')[0] ?? `as it should be, ${Math.round(performance.now() - startedAt)} ms`;
    findings.push({
      check,
      status: problem === undefined ? 'ok' : 'failed',
      found,
      fix: problem === undefined ? '' : 'see what is found, and `clobi pool check`',
    });
  }
  return findings;
}

function probesOf(pool: PoolConfig, signal: AbortSignal): LiveProbe[] {
  const traits = traitsOf(pool.unitsQueue);
  return [
    ...[...queueProbes(traits), ...leaseProbes(traits)].map(({ name, run }) => ({
      check: `queue ${name}`,
      run: (own: string) =>
        within(probeQueue(pool.unitsQueue, own), signal, async (place) =>
          run(await place.open(), place.open),
        ),
    })),
    ...STORE_PROBES.map(({ name, run }) => ({
      check: `store ${name}`,
      run: (own: string) =>
        within(probeStore(pool.store, own), signal, async (place) => run(await place.open())),
    })),
  ];
}

/** Whatever happens, and also when told to stop in the middle, nothing is left behind. */
async function within<T>(
  place: ProbePlace<T>,
  signal: AbortSignal,
  work: (place: ProbePlace<T>) => Promise<void>,
): Promise<void> {
  const working = work(place);
  try {
    await Promise.race([working, aborted(signal)]);
  } finally {
    await place.dispose();
    // It was left in the middle: its place is gone, and what it says of that is of no interest.
    if (signal.aborted) await working.catch(() => undefined).finally(() => place.dispose());
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
