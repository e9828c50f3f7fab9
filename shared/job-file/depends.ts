import type { JobSpec } from '../job-spec.ts';
import { type Finding, suggest } from './problems.ts';
import type { JobFile } from './schema.ts';

/** Which job of a file waits for which. */
export interface NamedFile {
  name: string;
  value: JobFile;
}

export interface FoundInDocument {
  document: number;
  finding: Finding;
}

/** A job id or the beginning of one: ULIDs begin with 0 for the next thousand years. */
const LOOKS_LIKE_AN_ID = /^0[0-9A-HJKMNP-TV-Z]{5,25}$/i;

/** The names in `depends` of one document, in the order of the file. */
export const dependencyNames = (file: JobFile): string[] =>
  (file.depends ?? []).map((entry) => (typeof entry === 'string' ? entry : entry.job));

/** Names given twice, dependencies on nothing, on themselves or in a circle. */
export function checkDependencies(documents: readonly NamedFile[]): FoundInDocument[] {
  const names = documents.map(({ name }) => name);
  const found: FoundInDocument[] = names.flatMap((name, document) =>
    names.indexOf(name) === document
      ? []
      : [
          {
            document,
            finding: {
              path: ['name'],
              message: `name: "${name}" is the name of an earlier job of this file; give each its own`,
            },
          },
        ],
  );
  for (const [document, { name, value }] of documents.entries()) {
    const others = dependencyNames(value);
    for (const [index, other] of others.entries()) {
      const complain = (message: string): number =>
        found.push({
          document,
          finding: { path: ['depends', index], message: `depends[${index}]: ${message}` },
        });
      if (other === name) complain('a job cannot wait for itself');
      else if (others.indexOf(other) !== index) complain(`"${other}" is given twice`);
      else if (!names.includes(other) && !LOOKS_LIKE_AN_ID.test(other))
        complain(unknownJob(other, names, name));
    }
  }
  return [...found, ...checkCircles(documents)];
}

function unknownJob(other: string, names: readonly string[], own: string): string {
  const others = names.filter((name) => name !== own);
  return `there is no job "${other}" in this file, and it is no job id${suggest(other, others)}`;
}

/** The documents in an order in which each comes after those it waits for; else in the order of the file. */
export function orderDocuments<T extends NamedFile>(documents: readonly T[]): T[] {
  const byName = new Map(documents.map((document) => [document.name, document]));
  const ordered = new Set<T>();
  const begun = new Set<T>();
  const place = (document: T): void => {
    if (begun.has(document)) return;
    begun.add(document);
    for (const name of dependencyNames(document.value)) {
      const other = byName.get(name);
      if (other !== undefined) place(other);
    }
    ordered.add(document);
  };
  for (const document of documents) place(document);
  return [...ordered];
}

/** Each circle once, at the dependency that closes it. */
function checkCircles(documents: readonly NamedFile[]): FoundInDocument[] {
  const found: FoundInDocument[] = [];
  const finished = new Set<string>();
  const numberOf = new Map(documents.map(({ name }, number) => [name, number]));
  const walk = (number: number, above: readonly string[]): void => {
    const document = documents[number];
    if (document === undefined || finished.has(document.name)) return;
    const chain = [...above, document.name];
    for (const [index, other] of dependencyNames(document.value).entries()) {
      const next = numberOf.get(other);
      if (next === undefined || other === document.name) continue;
      const at = chain.indexOf(other);
      if (at === -1) walk(next, chain);
      else found.push({ document: number, finding: circle(index, [...chain.slice(at), other]) });
    }
    finished.add(document.name);
  };
  for (const number of documents.keys()) walk(number, []);
  return found;
}

const circle = (index: number, names: readonly string[]): Finding => ({
  path: ['depends', index],
  message: `depends[${index}]: these jobs wait for each other in a circle: ${names.join(' → ')}`,
});

/** The spec with the ids of submitted jobs in place of their names; ids that were written as such stay. */
export function resolveDependencies(spec: JobSpec, idsByName: ReadonlyMap<string, string>): JobSpec {
  const idOf = (job: string): string => idsByName.get(job) ?? job;
  return {
    ...spec,
    depends: spec.depends.map((dependency) => ({ ...dependency, job: idOf(dependency.job) })),
    upstreamInputs: spec.upstreamInputs.map((input) => ({ ...input, job: idOf(input.job) })),
  };
}
