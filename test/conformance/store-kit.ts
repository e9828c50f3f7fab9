import type { ObjectStore } from '../../shared/providers/ports.ts';

export { bytesOf, keys, read } from '../../shared/providers/probes/store.ts';

/** What is known of a provider's store, where providers differ beyond their `capabilities`. */
export interface StoreTraits {
  /** Lists keys in the order of a language, not of their bytes: after which key to go on is then uncertain. */
  localeOrder?: boolean;
  /** Takes any signature and any bytes, and cannot tell which parts of an upload it has. */
  signsUnchecked?: boolean;
  /** Honours a condition on a put, though it is not known from its URL that it does. */
  putsIfAbsent?: boolean;
  /** Other processes can open the store by its URL. */
  otherProcesses: boolean;
  /** Lists letters beyond U+FFFF in another order than that of their bytes. */
  ownOrderBeyondBmp?: boolean;
}

/** A new, empty store. */
export interface StoreFixture {
  url: string;
  open(): Promise<ObjectStore>;
  dispose(): Promise<void>;
}

export type WithStore = (
  test: (store: ObjectStore, fixture: StoreFixture) => Promise<void>,
) => () => Promise<void>;

export const inByteOrder = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

export async function inBatches(
  all: readonly string[],
  call: (key: string) => Promise<unknown>,
): Promise<void> {
  for (let at = 0; at < all.length; at += 100) await Promise.all(all.slice(at, at + 100).map(call));
}
