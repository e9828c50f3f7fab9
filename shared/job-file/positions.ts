import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  type Pair,
  type Range,
} from 'yaml';
import type { Finding, Problem } from './problems.ts';

/** Looks up where in a text the parts of a document are. */
export interface Locator {
  /** The problem at the place that a finding means. */
  locate: (finding: Finding, file: string) => Problem;
  /** How the scalar at `path` is written in the text; undefined when it is no scalar of the text. */
  sourceOf: (path: readonly PropertyKey[]) => string | undefined;
}

/** For a job that did not come from a text: problems have no line. */
export const nowhere: Locator = {
  locate: ({ message, limit }, file) => ({ file, line: 0, column: 0, message, ...(limit && { limit }) }),
  sourceOf: () => undefined,
};

export function locatorOf(document: Document, lines: LineCounter, text: string): Locator {
  return {
    locate: (finding, file) => {
      const { line, col } = lines.linePos(offsetOf(document, finding, text));
      return { file, line, column: col, message: finding.message, ...(finding.limit && { limit: true }) };
    },
    sourceOf: (path) => {
      const { node } = descend(document, path);
      return isScalar(node) ? node.source : undefined;
    },
  };
}

function offsetOf(document: Document, finding: Finding, text: string): number {
  const { node, key, found } = descend(document, finding.path);
  const start = startOf(finding.at === 'key' || isEmpty(node) ? (key ?? node) : node);
  if (finding.inside === undefined || !found || !isScalar(node)) return start;
  return findInside(text, node.range, finding.inside) ?? start;
}

/** The node at the path, or the deepest one on the way to it, with the key that leads to it. */
function descend(
  document: Document,
  path: readonly PropertyKey[],
): { node: unknown; key: unknown; found: boolean } {
  let node: unknown = document.contents;
  let key: unknown;
  for (const part of path) {
    const here = isAlias(node) ? node.resolve(document) : node;
    const step = isMap(here)
      ? pairOf(here.items, part)
      : isSeq(here)
        ? { key: undefined, value: here.items[Number(part)] }
        : undefined;
    if (step === undefined || (step.value === undefined && step.key === undefined))
      return { node, key, found: false };
    node = step.value;
    // An element has no key of its own: one in a list of lists is pointed at by its value.
    key = step.key;
  }
  return { node, key, found: true };
}

function pairOf(pairs: readonly Pair[], part: PropertyKey): { key: unknown; value: unknown } | undefined {
  const pair = pairs.find(({ key }) => isScalar(key) && String(key.value) === String(part));
  return pair === undefined ? undefined : { key: pair.key, value: pair.value };
}

const isEmpty = (node: unknown): boolean => node === null || (isScalar(node) && node.value === null);

function startOf(node: unknown): number {
  const range: Range | null | undefined = (node as Node | null | undefined)?.range;
  return range?.[0] ?? 0;
}

function findInside(
  text: string,
  range: Range | null | undefined,
  wanted: { text: string; occurrence: number },
): number | undefined {
  if (!range) return undefined;
  let at = range[0] - 1;
  for (let left = wanted.occurrence; left >= 0; left -= 1) {
    at = text.indexOf(wanted.text, at + 1);
    if (at === -1 || at >= range[1]) return undefined;
  }
  return at;
}
