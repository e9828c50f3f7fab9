import type { PoolOrder } from '../core/pool-mode.ts';
import type { PoolOrderReply } from '../http/api.ts';
import type { Context } from './context.ts';
import { plural } from './output/text.ts';

/** Gives each pool the order and says what follows. */
export async function orderPools(
  context: Context,
  pools: readonly string[],
  order: PoolOrder,
): Promise<undefined> {
  const client = context.client();
  for (const pool of pools) {
    // Ordering twice does no harm.
    const path = `/v1/pools/${encodeURIComponent(pool)}/${order}`;
    context.output.note(describe(await client.post<PoolOrderReply>(path, {}, true), order));
  }
}

function describe({ pool, units, tasks }: PoolOrderReply, order: PoolOrder): string {
  switch (order) {
    case 'pause':
      return `${pool} gets nothing new until "clobi pool resume ${pool}"; what is there goes on.`;
    case 'resume':
      return `${pool} takes work again.`;
    case 'drain':
      return `${pool} gets nothing new, and its agents leave when what they run is done. "clobi agent list" shows when.`;
    case 'evacuate':
      return units === 0
        ? `${pool} gets nothing new; nothing waits there.`
        : `${pool} gets nothing new, and ${plural(tasks, 'task')} in ${plural(units, 'unit')} are asked back. "clobi pool list" shows when.`;
  }
}
