import type { JobView, OutputView, TaskView } from '../http/api.ts';
import type { Client } from './client.ts';

/** Lists of any length, page by page. */
const PAGE = 1000;

interface PageOptions {
  path: string;
  query?: Readonly<Record<string, string | number | undefined>>;
  /** At most so many rows in all. */
  limit?: number | undefined;
}

type Page<Key extends string, Row> = Record<Key, Row[]> & { next?: string | number | null };

async function* pagesOf<Key extends string, Row>(client: Client, key: Key, options: PageOptions): AsyncGenerator<Row[]> {
  let left = options.limit ?? Infinity;
  let after: string | number | undefined;
  while (left > 0) {
    const query = { ...options.query, limit: Math.min(PAGE, left), ...(after !== undefined && { after }) };
    const page = await client.get<Page<Key, Row>>(options.path, query);
    yield page[key];
    left -= page[key].length;
    if (page.next === undefined || page.next === null) return;
    after = page.next;
  }
}

export const jobPages = (
  client: Client,
  query: Readonly<Record<string, string | undefined>>,
  limit?: number,
): AsyncGenerator<JobView[]> => pagesOf(client, 'jobs', { path: '/v1/jobs', query, limit });

export const taskPages = (
  client: Client,
  job: string,
  query: Readonly<Record<string, string | number | undefined>> = {},
  limit?: number,
): AsyncGenerator<TaskView[]> => pagesOf(client, 'tasks', { path: `/v1/jobs/${job}/tasks`, query, limit });

export const outputPages = (client: Client, job: string): AsyncGenerator<OutputView[]> =>
  pagesOf(client, 'outputs', { path: `/v1/jobs/${job}/outputs` });
