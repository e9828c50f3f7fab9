import type { TaskParams } from '../../shared/job-spec.ts';
import type { Session } from './session.ts';
import type { ItemState } from './store.ts';

/** Items in one row of the table, as a JSON array with a line for each: parameters are read in the order of the tasks. */
const ITEMS_A_CHUNK = 256;
const BETWEEN = ',\n';

/** Sets of items: filled bit by bit, then named by a job. */
export const itemState = (s: Session): ItemState => ({
  newItemSet: () =>
    s.transaction(() =>
      Number(s.sql('INSERT INTO item_sets(items, bytes) VALUES (0, 0)').run().lastInsertRowid),
    ),
  addItems: (set, params) => s.transaction(() => addItems(s, set, params)),
  itemSetSize: (set) => sizeOf(s, set),
  itemLines: (set) => itemLines(s, set),
  dropItemSet: (set) => s.transaction(() => (isNamed(s, set) ? undefined : drop(s, set))),
  dropLooseItemSets: () =>
    s.transaction(() => {
      const rows = s.sql('SELECT id FROM item_sets').all() as { id: number }[];
      const loose = rows.filter(({ id }) => !isNamed(s, id));
      for (const { id } of loose) drop(s, id);
      return loose.length;
    }),
});

function drop(s: Session, set: number): void {
  s.sql('DELETE FROM items WHERE item_set = ?').run(set);
  s.sql('DELETE FROM item_sets WHERE id = ?').run(set);
}

const isNamed = (s: Session, set: number): boolean =>
  s.sql('SELECT 1 FROM jobs WHERE item_set = ?').get(set) !== undefined;

function sizeOf(s: Session, set: number): { items: number; bytes: number } {
  const row = s.sql('SELECT items, bytes FROM item_sets WHERE id = ?').get(set);
  return { items: Number(row?.['items'] ?? 0), bytes: Number(row?.['bytes'] ?? 0) };
}

function addItems(s: Session, set: number, params: readonly string[]): void {
  const { items } = sizeOf(s, set);
  for (let from = 0; from < params.length; ) {
    const number = Math.floor((items + from) / ITEMS_A_CHUNK);
    const to = (number + 1) * ITEMS_A_CHUNK - items;
    s.sql(APPEND).run(set, number, `[${params.slice(from, to).join(BETWEEN)}]`, BETWEEN);
    from = to;
  }
  const bytes = params.reduce((sum, text) => sum + text.length + 1, 0);
  s.sql('UPDATE item_sets SET items = items + ?, bytes = bytes + ? WHERE id = ?').run(
    params.length,
    bytes,
    set,
  );
}

const APPEND = `INSERT INTO items(item_set, chunk, params) VALUES (?1, ?2, ?3)
  ON CONFLICT DO UPDATE SET params = substr(params, 1, length(params) - 1) || ?4 || substr(excluded.params, 2)`;

/** One chunk after the other: between two of them anything may happen. */
function* itemLines(s: Session, set: number): Generator<string> {
  for (let number = 0; ; number += 1) {
    const chunk = readChunk(s, set, number);
    if (chunk === undefined) return;
    yield `${chunk.slice(1, -1).replaceAll(BETWEEN, '\n')}\n`;
  }
}

function readChunk(s: Session, set: number, number: number): string | undefined {
  const row = s.sql('SELECT params FROM items WHERE item_set = ? AND chunk = ?').get(set, number);
  return row?.['params'] as string | undefined;
}

/** Reads the parameters at a place in a set; remembers the chunk read last. */
export function itemReader(s: Session): (set: number, index: number) => TaskParams | undefined {
  let last: { set: number; number: number; params: TaskParams[] } | undefined;
  return (set, index) => {
    const number = Math.floor(index / ITEMS_A_CHUNK);
    if (last?.set !== set || last.number !== number) {
      const params = JSON.parse(readChunk(s, set, number) ?? '[]') as TaskParams[];
      last = { set, number, params };
    }
    return last.params[index % ITEMS_A_CHUNK];
  };
}
