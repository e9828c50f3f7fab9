import { createHash } from 'node:crypto';
import { ClobiError, messageOf } from '../shared/errors.ts';
import { type JobSpec, jobSpecSchema } from '../shared/job-spec.ts';
import type { ObjectStore } from '../shared/providers/ports.ts';
import type { UnitBody } from '../shared/wire/unit.ts';
import { readText } from './read-text.ts';

/** Specs of so many jobs are kept; units of one job mostly follow each other. */
const KEPT_SPECS = 32;
const LARGEST_SPEC_BYTES = 64 * 1024 * 1024;

/** Gives the spec of a unit, from the unit itself or from the store. */
export class SpecSource {
  readonly #store: ObjectStore;
  readonly #known = new Map<string, JobSpec>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** Rejects with `NOT_FOUND` or `CONFLICT` when there is no such spec and never will be; other errors may pass. */
  async load(unit: UnitBody): Promise<JobSpec> {
    if ('inline' in unit.spec) return unit.spec.inline;
    const { key, sha256 } = unit.spec;
    const known = this.#known.get(sha256);
    if (known !== undefined) return known;
    const text = (await readText(this.#store, key, { maxBytes: LARGEST_SPEC_BYTES }))?.text ?? '';
    const spec = parseSpec(text, key, sha256);
    this.#known.set(sha256, spec);
    const oldest = this.#known.size > KEPT_SPECS ? this.#known.keys().next() : undefined;
    if (oldest?.done === false) this.#known.delete(oldest.value);
    return spec;
  }
}

function parseSpec(text: string, key: string, sha256: string): JobSpec {
  if (createHash('sha256').update(text).digest('hex') !== sha256)
    throw new ClobiError(
      'CONFLICT',
      `The job's spec ${key} is not what the unit was signed with: its SHA-256 differs.`,
    );
  try {
    return jobSpecSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new ClobiError('CONFLICT', `The job's spec ${key} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
