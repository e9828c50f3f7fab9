import type { Context } from '../context.ts';

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const client = context.client();
  for (const agent of args) {
    await client.post(`/v1/agents/${encodeURIComponent(agent)}/drain`, {}, true);
    context.output.note(
      `${agent} finishes what it runs, gives back the rest and stops. "clobi agent list" shows when.`,
    );
  }
}
