import type { z } from 'zod';
import { valueAt } from './interpolate.ts';
import { knownKeysAt } from './json-schema.ts';
import { type Finding, findNearMiss, formatPath, show, suggest } from './problems.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** What zod found, in words for people, each at the key or value it is about. */
export interface Explainer {
  raw: unknown;
  /** How the scalar at a path is written in the text. */
  sourceOf: (path: Path) => string | undefined;
  /** Of another kind of file than a job: the keys that may stand in the map at a path. */
  knownKeys?: KnownKeys;
}

type KnownKeys = (path: Path) => string[];

export const explainIssues = (issues: readonly Issue[], explainer: Explainer): Finding[] =>
  withoutEchoes(issues, [], explainer).flatMap((issue) => explainIssue(issue, [], explainer));

/** A misspelt key makes two issues, one unknown and one missing: the first says it all. */
function withoutEchoes(
  issues: readonly Issue[],
  above: Path,
  { knownKeys = knownKeysAt }: Explainer,
): Issue[] {
  const meant = new Set<string>();
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    const known = knownKeys([...above, ...issue.path]);
    for (const key of issue.keys) meant.add(formatPath([...issue.path, findNearMiss(key, known) ?? key]));
  }
  return issues.filter((issue) => issue.code === 'unrecognized_keys' || !meant.has(formatPath(issue.path)));
}

function explainIssue(issue: Issue, above: Path, explainer: Explainer): Finding[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, explainer));
  if (issue.code === 'invalid_union') return explainUnion(issue, path, explainer);
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => ({
      path,
      at: 'key',
      message: `${formatPath(path)}: ${inner.message}`,
    }));
  }
  return [{ path, message: `${label(path)}${explainValue(issue, path, explainer)}` }];
}

const MERGE_KEY = 'merge keys are not read, write the values out';

function unknownKey(path: Path, key: string, { knownKeys = knownKeysAt }: Explainer): Finding {
  const place = path.length === 0 ? '' : ` in ${formatPath(path)}`;
  return {
    path: [...path, key],
    at: 'key',
    message: `unknown key "${key}"${place}${hintFor(path, key, knownKeys)}`,
  };
}

/** Where a key of a job's first level belongs that is right in itself, or that other systems call so. */
const MAPS = ['resources', 'timeout', 'retry', 'array', 'placement'];
const OTHER_WORDS: ReadonlyMap<string, string> = new Map([
  ['run', 'script'],
  ['needs', 'depends'],
  ['environment', 'env'],
  ['retries', 'retry'],
]);

function hintFor(path: Path, key: string, knownKeys: KnownKeys): string {
  if (key === '<<') return `; ${MERGE_KEY}`;
  const known = knownKeys(path);
  if (path.length > 0 || findNearMiss(key, known) !== undefined) return suggest(key, known);
  const map = MAPS.find((name) => knownKeys([name]).includes(key));
  const other = OTHER_WORDS.get(key);
  if (other !== undefined && known.includes(other)) return `; did you mean "${other}"?`;
  return map === undefined ? suggest(key, known) : `; did you mean "${map}.${key}"?`;
}

/** Only the alternative that has the form of the value is of interest; without one, say what would do. */
function explainUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path, explainer: Explainer): Finding[] {
  const value = valueAt(explainer.raw, path.map(String));
  const fitting = issue.errors.filter((branch) => !branch.some((inner) => isOfOtherForm(inner, value)));
  const [best] = fitting.toSorted((a, b) => a.length - b.length);
  if (best !== undefined) {
    const unknown = best.filter((inner) => inner.code === 'unrecognized_keys');
    // Which of several kinds of map was meant cannot be told from what is missing in one of them.
    const telling = fitting.length > 1 && unknown.length > 0 ? unknown : withoutEchoes(best, path, explainer);
    return telling.flatMap((inner) => explainIssue(inner, path, explainer));
  }
  const [first] = issue.errors.flat();
  if (value === undefined || value === null || (issue.message === '' && first === undefined)) {
    return [{ path, message: `${label(path)}${nothingThere(value)}` }];
  }
  if (issue.message !== '')
    return [{ path, message: `${label(path)}${fillSource(issue.message, path, explainer)}` }];
  return first === undefined ? [] : explainIssue(first, path, explainer);
}

function isOfOtherForm(issue: Issue, value: unknown): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_union')
    return issue.errors.every((branch) => branch.some((inner) => isOfOtherForm(inner, value)));
  return issue.code === 'invalid_type' || (issue.code === 'invalid_value' && typeof value !== 'string');
}

function explainValue(issue: Issue, path: Path, explainer: Explainer): string {
  const value = valueAt(explainer.raw, path.map(String));
  if (path.at(-1) === '<<') return MERGE_KEY;
  if (value === undefined || value === null) return nothingThere(value, issue.message);
  if (issue.message !== '') return fillSource(issue.message, path, explainer);
  if (issue.code === 'invalid_type') return wrongType(issue.expected, value, explainer.sourceOf(path));
  if (issue.code === 'invalid_value') {
    return `must be one of ${issue.values.map(String).join(', ')}, not ${show(value)}${nearMissOf(value, issue.values)}`;
  }
  if (issue.code === 'too_small') {
    return `must ${sizeWord(issue.origin)} ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`;
  }
  if (issue.code === 'too_big') {
    return `must ${sizeWord(issue.origin)} ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`;
  }
  return `is not right: ${issue.code}`;
}

function wrongType(expected: string, value: unknown, source: string | undefined): string {
  const wanted = TYPE_NAMES[expected] ?? expected;
  const written = source ?? asText(value);
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return `must be text, not ${typeOf(value)}; put it in quotes: ${JSON.stringify(written)}`;
  }
  if (expected === 'array' && (typeof value === 'string' || typeof value === 'number')) {
    return `must be a list: [${typeof value === 'string' ? JSON.stringify(value.slice(0, 60)) : written}]`;
  }
  if (
    (expected === 'number' || expected === 'int') &&
    typeof value === 'string' &&
    value.trim() !== '' &&
    Number.isFinite(Number(value))
  ) {
    return `must be ${wanted}; write ${value.trim()} without quotes`;
  }
  return `must be ${wanted}, not ${typeOf(value)}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'string') return `the text ${show(value)}`;
  return typeof value === 'boolean' ? String(value) : 'a map';
}

function nothingThere(value: unknown, expectation = ''): string {
  if (value === undefined)
    return expectation === '' || expectation.includes('{{') ? 'is missing' : `is missing; it ${expectation}`;
  return 'has no value; give it one, or remove the key';
}

function nearMissOf(value: unknown, known: readonly unknown[]): string {
  const hint = suggest(asText(value), known.map(String));
  return hint.includes('did you mean') ? hint : '';
}

const sizeWord = (origin: string): string =>
  origin === 'string' ? 'have a length of' : origin === 'array' ? 'have a number of elements of' : 'be';

/** Schema messages may hold `{{source}}`: the value as it is written, in quotes. */
const fillSource = (message: string, path: Path, { raw, sourceOf }: Explainer): string =>
  message.replace('{{source}}', () =>
    JSON.stringify(sourceOf(path) ?? asText(valueAt(raw, path.map(String)))),
  );

const label = (path: Path): string => (path.length === 0 ? 'a job ' : `${formatPath(path)}: `);

const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
