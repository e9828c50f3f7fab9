import { checkFile } from './check.ts';
import { checkDependencies, orderDocuments } from './depends.ts';
import type { Locator } from './positions.ts';
import { arrangeProblems, type Problem } from './problems.ts';
import { complainOfText } from './read-text.ts';
import type { JobFile } from './schema.ts';
import { NAME_PATTERN } from './schema-parts.ts';
import { readDocuments } from './yaml-text.ts';

/** One job of a file. Where it has problems, `value` lacks the fields that are wrong. */
export interface JobDocument {
  /** As given, else made from the file's name. */
  name: string;
  value: JobFile;
  /** The keys that the document has, right or wrong. */
  given: ReadonlySet<string>;
  /** Where the parts of the value are in the text. */
  locator: Locator;
}

/**
 * Reads the text of a job file, YAML or JSON, into its documents, those first that others wait for. Never throws:
 * whatever is wrong, all of it, is in `problems`. Looks at no other file; `loadJobFile` does.
 */
export function parseJobFile(
  text: string,
  fileName: string,
): { documents: JobDocument[]; problems: Problem[] } {
  const unreadable = complainOfText(text, fileName);
  if (unreadable.length > 0) return { documents: [], problems: unreadable };
  const read = readDocuments(text, fileName);
  const problems = [...read.problems];
  const documents = read.documents.map(({ raw, locator }, number) => {
    const { value, given, findings } = checkFile({ raw, sourceOf: locator.sourceOf });
    problems.push(...findings.map((finding) => locator.locate(finding, fileName)));
    const name =
      givenName(raw) ?? defaultName(fileName, read.documents.length === 1 ? undefined : number + 1);
    return { name, value, given, locator };
  });
  // With a document that could not be read, every name in it would be unknown.
  const isWhole = read.problems.length === 0;
  for (const { document, finding } of isWhole ? checkDependencies(documents) : []) {
    const locator = documents[document]?.locator;
    if (locator !== undefined) problems.push(locator.locate(finding, fileName));
  }
  return { documents: orderDocuments(documents), problems: arrangeProblems(problems) };
}

function givenName(raw: unknown): string | undefined {
  const name = typeof raw === 'object' && raw !== null && 'name' in raw ? raw.name : undefined;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

/** A name from that of a file or program: `/a/b c.yaml` → `b-c`; with a number, `b-c-2`. */
export function defaultName(path: string, number?: number): string {
  const base = (path.split('/').at(-1) ?? '').replace(/\.(ya?ml|json)$/i, '');
  const clean = base
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 100);
  const name = NAME_PATTERN.test(clean) ? clean : 'job';
  return number === undefined ? name : `${name}-${number}`;
}
