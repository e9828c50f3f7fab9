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

/** One of the lists is there. */
interface Page {
  jobs?: JobView[];
  tasks?: TaskView[];
  outputs?: OutputView[];
  next?: string | number | null;
}

async function* pagesOf<Row>(
  client: Client,
  options: PageOptions,
  rowsOf: (page: Page) => Row[],
): AsyncGenerator<Row[]> {
  let left = options.limit ?? Infinity;
  let after: string | number | undefined;
  while (left > 0) {
    const query = { ...options.query, limit: Math.min(PAGE, left), ...(after !== undefined && { after }) };
    const page = await client.get<Page>(options.path, query);
    const rows = rowsOf(page);
    yield rows;
    left -= rows.length;
    if (page.next === undefined || page.next === null) return;
    after = page.next;
  }
}

export const jobPages = (
  client: Client,
  query: Readonly<Record<string, string | undefined>>,
  limit?: number,
): AsyncGenerator<JobView[]> =>
  pagesOf(client, { path: '/v1/jobs', query, limit }, (page) => page.jobs ?? []);

export const taskPages = (
  client: Client,
  job: string,
  query: Readonly<Record<string, string | number | undefined>> = {},
  limit?: number,
): AsyncGenerator<TaskView[]> =>
  pagesOf(client, { path: `/v1/jobs/${job}/tasks`, query, limit }, (page) => page.tasks ?? []);

export const outputPages = (client: Client, job: string): AsyncGenerator<OutputView[]> =>
  pagesOf(client, { path: `/v1/jobs/${job}/outputs` }, (page) => page.outputs ?? []);
