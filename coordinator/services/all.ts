import { ClobiError } from '../../shared/errors.ts';
import { publicKeyOf, signerOf, verifierOf } from '../../shared/wire/signature.ts';
import { UnitBuilder } from './build-unit.ts';
import { Collector } from './collector.ts';
import type { Context, Pool } from './context.ts';
import { Controller } from './controller.ts';
import { Darkness } from './darkness.ts';
import { Deadlines } from './deadlines.ts';
import { Dispatcher } from './dispatcher.ts';
import { Exporter } from './exporter.ts';
import type { Follows } from './follows.ts';
import { Janitor } from './janitor.ts';
import { Ledger } from './ledger.ts';
import { OverMarker } from './over-marker.ts';
import { Prober } from './health.ts';
import { Recaller } from './recaller.ts';
import { Rescuer } from './rescuer.ts';
import { Publisher } from './publisher.ts';
import { References } from './references.ts';
import { Sender } from './sender.ts';
import { Stager } from './stager.ts';
import { allStores, storeOfPool } from './stores.ts';

/** What every service offers to the composition root. */
export interface Startable {
  start(): void;
  stop(): Promise<void>;
}

/** Every service of a coordinator, in the order in which they are started. */
export function makeServices(context: Context, parts: { privateKey: string; follows: Follows }): Startable[] {
  const builder = new UnitBuilder(context, signerOf(parts.privateKey));
  const references = new References(context);
  const stagers = new Map(
    allStores(context).map((at) => [at.url, new Stager(context, at, references)] as const),
  );
  const verify = verifierOf(publicKeyOf(parts.privateKey));
  const perPool = context.pools.flatMap((pool) => {
    const collector = new Collector(context, pool);
    return [
      new Sender(context, pool, { builder, stager: stagerOf(stagers, context, pool) }),
      collector,
      new Rescuer(context, pool, collector.listening),
      new Recaller(context, pool, { listening: collector.listening, verify }),
      new Controller(context, pool, parts.follows),
      new OverMarker(context, pool),
      new Prober(context, pool),
      new Darkness(context, pool),
    ];
  });
  return [
    references,
    ...stagers.values(),
    new Exporter(context),
    ...perPool,
    new Dispatcher(context),
    new Deadlines(context),
    new Janitor(context),
    new Publisher(context),
    new Ledger(context),
  ];
}

function stagerOf(stagers: ReadonlyMap<string, Stager>, context: Context, pool: Pool): Stager {
  const stager = stagers.get(storeOfPool(context, pool.name).url);
  if (stager === undefined) throw new ClobiError('INTERNAL', `Pool ${pool.name} has no store.`);
  return stager;
}
