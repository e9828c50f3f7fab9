import { ClobiError } from '../errors.ts';

/**
 * What a queue or store of a cloud should be like, against what it is: `clobi pool check` shows the differences, `clobi pool
 * ensure` mends them. Made by the provider's folder; it knows settings, the caller knows when to change them.
 */
export interface Manager {
  /** Every difference, the gravest first; none when all is as it should be. Changes nothing. Rejects with what keeps it from looking. */
  inspect(): Promise<Difference[]>;
  /** Mends the mendable ones among `differences`, as `inspect` found them. Doing it twice does no harm. */
  mend(differences: readonly Difference[]): Promise<void>;
  /**
   * Deletes a queue that was made to try things out, with all that is in it; twice is fine. Rejects for any other (see
   * `checkProbe`). Buckets and containers are never deleted.
   */
  removeProbe?(): Promise<void>;
}

const PROBE_NAME = /-probe-[0-9a-f]{12}-\d+$/;

/** The name of a queue or prefix to try things out in: `number` tells those of one `run` apart. */
export const probeName = (ns: string, run: string, number: number): string => `${ns}-probe-${run}-${number}`;

/** Throws unless the name is one that `probeName` makes: nothing else may be deleted as a whole. */
export function checkProbe(name: string): void {
  if (!PROBE_NAME.test(name))
    throw new ClobiError('CONFLICT', `"${name}" was not made to try things out: it is not deleted.`);
}

export interface Difference {
  /** What it is about: `queue clobi-aws-units`, `bucket results`. */
  thing: string;
  /** Stable name of the setting: `exists`, `retention`, `encryption`, `public-access`, `lifecycle`, `clock`, `region`, … */
  setting: string;
  is: string;
  shouldBe: string;
  /** What a person does about it, in one line: a command, or the permission to give by its action name. */
  fix: string;
  /** `failed`: jobs cannot run or may be lost. `warning`: they run, but not well. */
  gravity: 'failed' | 'warning';
  /** `mend` can do it. */
  mendable: boolean;
}
