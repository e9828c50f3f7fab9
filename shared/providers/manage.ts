/**
 * What a queue or store of a cloud should be like, against what it is: `clobi pool check` shows the differences, `clobi pool
 * ensure` mends them. Made by the provider's folder; it knows settings, the caller knows when to change them.
 */
export interface Manager {
  /** Every difference, the gravest first; none when all is as it should be. Changes nothing. Rejects with what keeps it from looking. */
  inspect(): Promise<Difference[]>;
  /** Mends the mendable ones among `differences`, as `inspect` found them. Doing it twice does no harm. */
  mend(differences: readonly Difference[]): Promise<void>;
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
