import type { AgentView } from '../../http/api.ts';
import type { Context } from '../context.ts';

interface Options {
  pool?: string;
}

export async function run(context: Context, args: readonly string[], { pool }: Options): Promise<undefined> {
  const client = context.client();
  const only = pool === undefined ? '' : `?pool=${encodeURIComponent(pool)}`;
  for (const agent of args) {
    const path = `/v1/agents/${encodeURIComponent(agent)}/drain${only}`;
    const { agents } = await client.post<{ agents: AgentView[] }>(path, {}, true);
    for (const one of agents) {
      context.output.note(
        `${agent} of pool ${one.pool} finishes what it runs, gives back the rest and stops. "clobi agent list" shows when.`,
      );
    }
  }
}
