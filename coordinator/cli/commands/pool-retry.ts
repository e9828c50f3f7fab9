import type { Context } from '../context.ts';

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const client = context.client();
  for (const pool of args) {
    await client.post(`/v1/pools/${encodeURIComponent(pool)}/retry`, {}, true);
    context.output.note(`${pool} is tried again now. "clobi pool list" shows how it fares.`);
  }
}
