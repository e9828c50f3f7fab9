import type { AgentId, BootId, JobId, RunId } from '../ids.ts';

/** Every object key, in one place (DESIGN §4). Numbers are padded so that byte order is number order. */
const padded = (n: number): string => String(n).padStart(10, '0');

export const specKey = (job: JobId): string => `jobs/${job}/spec.json`;
export const itemsKey = (job: JobId): string => `jobs/${job}/items.ndjson`;
export const cancelKey = (job: JobId): string => `jobs/${job}/cancel.json`;
/** In the store of every pool that had units of the job: it is over, and no copy of them is to be run. */
export const overKey = (job: JobId): string => `jobs/${job}/over.json`;
export const releasedKey = (job: JobId): string => `jobs/${job}/released.json`;
/** What an input by reference was when it was first read; `urlHash` is the SHA-256 of the URL. */
export const fetchedKey = (job: JobId, urlHash: string): string => `jobs/${job}/fetched/${urlHash}.json`;
export const movedKey = (job: JobId): string => `jobs/${job}/moved.json`;
export const inputKey = (sha256: string): string => `inputs/${sha256}`;
export const resultPrefix = (job: JobId, index: number, run: RunId): string =>
  `results/${job}/${index}/${run}/`;
export const logKey = (
  at: { job: JobId; index: number; run: RunId },
  stream: 'stdout' | 'stderr',
  number: number,
): string => `logs/${at.job}/${at.index}/${at.run}/${stream}.${padded(number)}`;
export const segmentPrefix = (pool: string, agent: AgentId, boot: BootId): string =>
  `segments/${pool}/${agent}/${boot}/`;
export const segmentKey = (pool: string, agent: AgentId, boot: BootId, number: number): string =>
  `${segmentPrefix(pool, agent, boot)}${padded(number)}.ndjson`;
export const verdictKey = (epoch: number, number: number): string =>
  `verdicts/${padded(epoch)}/${padded(number)}.ndjson`;
export const controlKey = (pool: string): string => `control/${pool}.json`;
export const EPOCH_KEY = 'coordinator/epoch.json';
export const POOL_MODES_KEY = 'coordinator/pool-modes.json';

/** What every key of ours begins with. */
export const OWN_FOLDERS: readonly string[] = [
  'jobs',
  'inputs',
  'results',
  'logs',
  'segments',
  'verdicts',
  'claims',
  'control',
  'agents',
  'coordinator',
];

export const unitsQueue = (ns: string, pool: string): string => `${ns}-${pool}-units`;
export const eventsQueue = (ns: string, pool: string): string => `${ns}-${pool}-events`;
export const deadQueue = (ns: string, pool: string): string => `${ns}-${pool}-dead`;
