import type { JobId } from '../../shared/ids.ts';

/** What must be brought before a unit is sent: bytes from one store to another, or of an input by reference. */
export type Need = ContentNeed | ReferenceNeed;

/** To be at `inputs/<sha256>` of the store that the unit's pool reads. */
export interface ContentNeed {
  kind: 'content';
  sha256: string;
  sizeBytes: number;
  /** Where it is: the URL of a store of ours, and the key there. */
  from: { url: string; key: string };
}

/** To be read once for the job, into the primary store. */
export interface ReferenceNeed {
  kind: 'reference';
  job: JobId;
  url: string;
  /** What it must hash to; null: whatever it is when first read. */
  sha256: string | null;
}

export const nameOfNeed = (need: Need): string =>
  need.kind === 'content' ? need.sha256 : `${need.job} ${need.url}`;

export const describeNeed = (need: Need): string =>
  need.kind === 'content' ? `inputs/${need.sha256}` : need.url;
