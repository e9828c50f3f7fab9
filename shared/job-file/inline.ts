import { checkFile } from './check.ts';
import { escapeTemplate } from './interpolate.ts';
import { type LoadedJob, type LoadOptions, loadDocuments } from './load.ts';
import { defaultName } from './parse.ts';
import { nowhere } from './positions.ts';
import type { JobFile } from './schema.ts';

/** A job that comes from a command line: the fields of a job file (templates and all), with the command and its items apart. */
export interface InlineJob
  extends Omit<Partial<JobFile>, 'apiVersion' | 'kind' | 'command' | 'script' | 'array' | 'matrix'> {
  /** Taken as it is: `${{` is plain text here. With `items`, `{}` stands for the item, which comes last when there is no `{}`. */
  command: readonly string[];
  /** One task an item. */
  items?: readonly string[];
}

const PLACE_NAME = 'command line';

/**
 * The job of `clobi run -- CMD` and `--each-line`, by the same schema and rules as a job file. Problems have no
 * line; they throw as in `loadJobFile`. `directory` is what relative inputs start from.
 */
export async function compileInline(
  job: InlineJob,
  options: LoadOptions & { directory?: string } = {},
): Promise<LoadedJob> {
  const { command, items, ...rest } = job;
  const raw = {
    ...withoutUndefined(rest),
    apiVersion: 'clobi/v1',
    command: items === undefined ? command.map(escapeTemplate) : placeItem(command),
    ...(items && { array: { items } }),
  };
  const { value, given, findings } = checkFile({ raw, sourceOf: nowhere.sourceOf });
  const name = value.name ?? defaultName(command[0] ?? '');
  const [loaded] = await loadDocuments([{ name, value, given, locator: nowhere }], {
    ...options,
    file: PLACE_NAME,
    directory: options.directory ?? process.cwd(),
    problems: findings.map((finding) => nowhere.locate(finding, PLACE_NAME)),
  });
  if (loaded === undefined) throw new TypeError('a document without problems gives a job');
  return loaded;
}

function placeItem(command: readonly string[]): string[] {
  const words = command.map((word) => escapeTemplate(word).replaceAll('{}', () => '${{ item }}'));
  return command.some((word) => word.includes('{}')) ? words : [...words, '${{ item }}'];
}

// A flag that was not given is no value.
const withoutUndefined = (record: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
