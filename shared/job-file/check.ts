import { explainIssues, type Explainer } from './explain.ts';
import { checkNumberForms } from './number-rules.ts';
import type { Finding } from './problems.ts';
import { checkFields } from './rules.ts';
import { checkTasks } from './task-rules.ts';
import { checkTemplates } from './template-rules.ts';
import { type JobFile, jobFileSchema } from './schema.ts';

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
  const given = new Set(isMap(raw) ? Object.keys(raw) : []);
  // An empty text means: no message of our own in the schema; explainIssues then makes one that knows the place.
  const parsed = jobFileSchema.safeParse(raw, { error: () => '' });
  const value = parsed.success ? parsed.data : keepWhatIsRight(raw, parsed.error.issues);
  const findings = parsed.success ? [] : explainIssues(parsed.error.issues, explainer);
  if (!isMap(raw)) return { value, given, findings };
  findings.push(...checkFields(value, given), ...checkTasks(value, given), ...checkTemplates(value, given));
  findings.push(...checkNumberForms(value, explainer.sourceOf));
  return { value, given, findings };
}

function keepWhatIsRight(raw: unknown, issues: readonly { path: PropertyKey[] }[]): JobFile {
  const wrong = new Set(issues.map(({ path }) => path[0]));
  const right = isMap(raw)
    ? Object.entries(raw).filter(([key]) => !wrong.has(key) && Object.hasOwn(jobFileSchema.shape, key))
    : [];
  const again = jobFileSchema.safeParse({ ...Object.fromEntries(right), apiVersion: 'clobi/v1' });
  return again.success ? again.data : { apiVersion: 'clobi/v1' };
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
