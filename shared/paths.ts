import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * Where things live on one machine. `CLOBI_HOME` (or `--home`) moves all of it; without it the XDG state directory.
 *
 *   coordinator/   state.sqlite  token  signing-key.pem  endpoint.json  lock  logs/
 *   pools/<pool>/agent.json      what an agent of the pool must know (no secret)
 *   queues/<queue>.sqlite        queues of local pools
 *   store/                       the local object store
 *   agents/<pool>/<agent>/       an agent's own directory: work, cache, lock, log
 */
export function homeDirectory(explicit?: string): string {
  const given = explicit ?? process.env['CLOBI_HOME'];
  if (given !== undefined && given !== '') return resolve(given);
  const state = process.env['XDG_STATE_HOME'];
  return join(state !== undefined && state !== '' ? state : join(homedir(), '.local', 'state'), 'clobi');
}

export const coordinatorDirectory = (home: string): string => join(home, 'coordinator');
export const poolsDirectory = (home: string): string => join(home, 'pools');
export const agentConfigFile = (home: string, pool: string): string =>
  join(poolsDirectory(home), pool, 'agent.json');
/** Of the pool's agents; of all when none is named. */
export const agentsDirectory = (home: string, pool = ''): string => join(home, 'agents', pool);
export const queuesDirectory = (home: string): string => join(home, 'queues');
export const storeDirectory = (home: string): string => join(home, 'store');
