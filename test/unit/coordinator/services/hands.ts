import { UnitBuilder } from '../../../../coordinator/services/build-unit.ts';
import { Collector } from '../../../../coordinator/services/collector.ts';
import { Dispatcher } from '../../../../coordinator/services/dispatcher.ts';
import { Exporter } from '../../../../coordinator/services/exporter.ts';
import { References } from '../../../../coordinator/services/references.ts';
import { Rescuer } from '../../../../coordinator/services/rescuer.ts';
import { Sender } from '../../../../coordinator/services/sender.ts';
import { Stager } from '../../../../coordinator/services/stager.ts';
import { storeOfPool } from '../../../../coordinator/services/stores.ts';
import { Submitter } from '../../../../coordinator/services/submitter.ts';
import type { JobId } from '../../../../shared/ids.ts';
import type { JobSpec } from '../../../../shared/job-spec.ts';
import type { EventBatch } from '../../../../shared/wire/event.ts';
import { newKeyPair, signerOf } from '../../../../shared/wire/signature.ts';
import { type UnitBody } from '../../../../shared/wire/unit.ts';
import { type Rig, takeUnits } from './rig.ts';

export const keys = newKeyPair();
export const never = new AbortController().signal;

/** Shorter than any gap that would count as an outage. */
const STEP_MS = 500;

/** The services of a rig, driven by hand. */
export function handsOn(rig: Rig, pool = rig.pool) {
  const { context } = rig;
  const submitter = new Submitter(context);
  const dispatcher = new Dispatcher(context);
  const references = new References(context);
  const stager = new Stager(context, storeOfPool(context, pool.name), references);
  const builder = new UnitBuilder(context, signerOf(keys.privateKey));
  const sender = new Sender(context, pool, { builder, stager });
  const collector = new Collector(context, pool);
  const rescuer = new Rescuer(context, pool, collector.listening);
  const exporter = new Exporter(context);
  return {
    submitter,
    dispatcher,
    sender,
    stager,
    parts: { builder, stager },
    collector,
    rescuer,
    exporter,
    submit: async (spec: JobSpec): Promise<JobId> => (await submitter.submit({ spec })).job,
    /** What agents have said, through the queue. */
    say: async (...batches: EventBatch[]): Promise<void> => {
      await pool.events.send(batches.map((batch) => JSON.stringify(batch)));
      await collector.runOnce(never);
    },
    /** Time passes while the events queue is listened to and stays empty. */
    listenFor: (ms: number): void => {
      for (let left = ms; left > 0; left -= STEP_MS) {
        rig.clock.ms += Math.min(left, STEP_MS);
        collector.listening.received(0, rig.clock.ms);
      }
    },
    /** From ready tasks to messages in agents' hands. */
    dispatch: async (): Promise<UnitBody[]> => {
      while (dispatcher.runOnce());
      while (await sender.runOnce());
      return takeUnits(pool);
    },
  };
}
