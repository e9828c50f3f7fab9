import type { AgentView } from '../../http/api.ts';
import type { Context } from '../context.ts';
import { agentList } from '../views.ts';

export async function run(context: Context): Promise<undefined> {
  const { agents } = await context.client().get<{ agents: AgentView[] }>('/v1/agents');
  await context.output.list(agents, agentList(Date.now()));
}
