import type { AgentView } from '../http/api.ts';
import type { Hello } from './boots.ts';
import type { Session } from './session.ts';

/** Live ones are all shown; of those that are gone, so many. */
const SHOWN_GONE = 200;

interface Row {
  agent: string;
  pool: string;
  boot: string;
  ended: string | null;
  draining: number;
  drain_asked: number;
  heard_at: number;
  running: number;
  rejected: number;
  hello: string | null;
  units: number;
}

const COLUMNS = `agent, pool, boot, ended, draining, drain_asked, heard_at, running, rejected, hello,
  (SELECT count(*) FROM claims c WHERE c.boot = b.id AND c.live = 1) AS units`;

/** The newest boot of each agent, live ones first. Agents of two pools may have one name. */
export function viewAgents(s: Session): AgentView[] {
  const live = s
    .sql(`SELECT ${COLUMNS} FROM boots b WHERE ended IS NULL ORDER BY agent`)
    .all() as unknown as Row[];
  const gone = s
    .sql(
      `SELECT ${COLUMNS} FROM boots b WHERE ended IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM boots n WHERE n.agent = b.agent AND n.pool = b.pool AND (n.ended IS NULL OR n.id > b.id)) ORDER BY id DESC LIMIT ?`,
    )
    .all(SHOWN_GONE) as unknown as Row[];
  return [...live, ...gone].map(viewOf);
}

function viewOf(row: Row): AgentView {
  const hello = row.hello === null ? undefined : (JSON.parse(row.hello) as Hello);
  return {
    agent: row.agent,
    pool: row.pool,
    boot: row.boot,
    state: stateOf(row),
    host: hello?.host ?? '',
    pid: hello?.pid ?? 0,
    arch: hello?.arch ?? '',
    version: hello?.version ?? '',
    isolation: hello?.isolation ?? '',
    slots: hello?.capacity.slots ?? 0,
    cpus: hello?.capacity.cpus ?? 0,
    memoryBytes: hello?.capacity.memoryBytes ?? 0,
    gpus: hello?.capacity.gpus ?? 0,
    diskBytes: hello?.capacity.diskBytes ?? null,
    labels: hello?.labels ?? {},
    running: row.ended === null ? row.running : 0,
    units: row.units,
    lastHeardAt: row.heard_at,
    rejected: row.rejected,
  };
}

function stateOf({ ended, draining, drain_asked: asked }: Row): AgentView['state'] {
  if (ended === 'silent') return 'silent';
  if (ended !== null) return 'gone';
  return draining === 1 || asked === 1 ? 'draining' : 'live';
}
