import { explainIssues, type Explainer } from './explain.ts';
import { checkNumberForms } from './number-rules.ts';
import { type Finding, findNearMiss } from './problems.ts';
import { checkFields } from './rules.ts';
import { checkTasks } from './task-rules.ts';
import { checkTemplates } from './template-rules.ts';
import { type JobFile, jobFileSchema } from './schema.ts';
import { input, output } from './schema-files.ts';

/** One document of a job file against the schema and the rules. */
export interface CheckedFile {
  /** What of the document is right: fields with a mistake inside are left out, so that the others can still be checked. */
  value: JobFile;
  /** The keys that the document has, right or wrong. */
  given: ReadonlySet<string>;
  findings: Finding[];
}

export function checkFile(explainer: Explainer): CheckedFile {
  const { raw } = explainer;
  const given = new Set(isMap(raw) ? Object.keys(raw).flatMap(meantKeys) : []);
  // An empty text means: no message of our own in the schema; explainIssues then makes one that knows the place.
  const parsed = jobFileSchema.safeParse(raw, { error: () => '' });
  const value = parsed.success ? parsed.data : keepWhatIsRight(raw, parsed.error.issues);
  const findings = parsed.success ? [] : explainIssues(parsed.error.issues, explainer);
  if (!isMap(raw)) return { value, given, findings };
  findings.push(...checkFields(value, given), ...checkTasks(value, given), ...checkTemplates(value, given));
  findings.push(...checkNumberForms(value, explainer.sourceOf));
  return { value, given, findings };
}

/** A misspelt key counts as the one that was meant: that one is not missing too. */
const meantKeys = (key: string): string[] => {
  const known = Object.keys(jobFileSchema.shape);
  const near = known.includes(key) ? undefined : findNearMiss(key, known);
  return near === undefined ? [key] : [key, near];
};

/** Lists whose elements are checked one by one, also beside wrong ones. */
const LISTS = { inputs: input, outputs: output };

function keepWhatIsRight(raw: unknown, issues: readonly { path: PropertyKey[] }[]): JobFile {
  if (!isMap(raw)) return { apiVersion: 'clobi/v1' };
  const wrong = new Set(issues.map(({ path }) => path[0]));
  const right = Object.entries(raw).filter(
    ([key]) => !wrong.has(key) && Object.hasOwn(jobFileSchema.shape, key),
  );
  const again = jobFileSchema.safeParse({ ...Object.fromEntries(right), apiVersion: 'clobi/v1' });
  const value: JobFile = again.success ? again.data : { apiVersion: 'clobi/v1' };
  for (const key of ['inputs', 'outputs'] as const) {
    const list = raw[key];
    if (wrong.has(key) && Array.isArray(list)) Object.assign(value, { [key]: withHoles(list, key) });
    else if (wrong.has(key) && isMap(list) && Array.isArray(list['files'])) {
      const to = typeof list['to'] === 'string' ? { to: list['to'] } : {};
      Object.assign(value, { [key]: { files: withHoles(list['files'], key), ...to } });
    }
  }
  return value;
}

/** The list without its wrong elements; the others keep their places, and `flatMap` passes over holes. */
function withHoles(list: readonly unknown[], key: keyof typeof LISTS): unknown[] {
  const kept: unknown[] = new Array(list.length);
  for (const [index, element] of list.entries())
    if (LISTS[key].safeParse(element).success) kept[index] = element;
  return kept;
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
