import { distance } from 'fastest-levenshtein';
import { ClobiError } from '../errors.ts';
import { LIMITS } from './limits.ts';

/** One thing that is wrong, where it is. Lines and columns count from 1; 0 where there is no text to point at. */
export interface Problem {
  file: string;
  line: number;
  column: number;
  message: string;
  /** It is a limit that was passed, not a mistake of form. */
  limit?: true;
}

/** A problem before anybody has looked up where it is: `path` leads to the value inside the document. */
export interface Finding {
  path: readonly PropertyKey[];
  message: string;
  /** Point at the key and not at its value. */
  at?: 'key';
  /** Point at the n-th (from 0) occurrence of this text inside the value. */
  inside?: { text: string; occurrence: number };
  limit?: true;
}

export const formatProblem = (problem: Problem): string =>
  problem.line === 0
    ? `${problem.file}: ${problem.message}`
    : `${problem.file}:${problem.line}:${problem.column} ${problem.message}`;

/** In the order of the text, each once, cut at `LIMITS.problems`. */
export function arrangeProblems(problems: readonly Problem[]): Problem[] {
  const unique = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  const sorted = [...unique.values()].sort(
    (a, b) => compareText(a.file, b.file) || a.line - b.line || a.column - b.column,
  );
  const kept = sorted.slice(0, LIMITS.problems);
  const left = sorted.length - kept.length;
  const last = kept.at(-1);
  if (left > 0 && last !== undefined) kept.push({ ...last, message: `… and ${left} more problems` });
  return kept;
}

/** The error that ends the reading of a job file; `context.problems` has them one by one. */
export function problemsError(problems: readonly Problem[]): ClobiError {
  const arranged = arrangeProblems(problems);
  const code = arranged.every((problem) => problem.limit === true) ? 'LIMIT_EXCEEDED' : 'INVALID_JOB';
  return new ClobiError(code, arranged.map(formatProblem).join('\n'), { context: { problems: arranged } });
}

/** The known word that was probably meant; undefined when none is near. */
export function findNearMiss(word: string, known: readonly string[]): string | undefined {
  const wanted = simplify(word);
  // Letters in the wrong order are the commonest slip, and count as two.
  const swapped = known.find((candidate) => sortLetters(simplify(candidate)) === sortLetters(wanted));
  if (swapped !== undefined) return swapped;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    const away = distance(wanted, simplify(candidate));
    if (away < bestDistance) [best, bestDistance] = [candidate, away];
  }
  return best;
}

/** `; did you mean "x"?`, else the known words, else nothing. */
export function suggest(word: string, known: readonly string[]): string {
  const near = findNearMiss(word, known);
  if (near !== undefined) return `; did you mean "${near}"?`;
  return known.length === 0 ? '' : `; known here: ${known.slice(0, 40).join(', ')}`;
}

/** `inputs[2].to`, as messages name a place. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? String(part) : `.${String(part)}`;
  }
  return text;
}

/** A short, printable form of a value or text for a message. */
export function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

// Case, dashes and underscores are no difference worth counting.
const simplify = (word: string): string =>
  word
    .slice(0, 80)
    .toLowerCase()
    .replaceAll(/[-_\s]/g, '');
const sortLetters = (word: string): string => Array.from(word).sort().join('');
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
