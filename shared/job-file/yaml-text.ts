import {
  Composer,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
  type YAMLError,
} from 'yaml';
import { messageOf } from '../errors.ts';
import { LIMITS } from './limits.ts';
import { type Locator, locatorOf } from './positions.ts';
import type { Problem } from './problems.ts';

/** The documents of a YAML text (JSON is YAML) as plain values, with their places. Never throws, whatever the text. */
export interface TextDocument {
  raw: unknown;
  locator: Locator;
}

interface Complaint {
  offset: number;
  message: string;
  limit?: true;
}

/** One mistake of form makes the parser complain many times: so many lines are enough. */
const SYNTAX_PROBLEMS_SHOWN = 5;

export function readDocuments(
  text: string,
  file: string,
): { documents: TextDocument[]; problems: Problem[] } {
  const lines = new LineCounter();
  const complaints: Complaint[] = [];
  const documents: TextDocument[] = [];
  for (const document of composeWithin(text, lines, complaints)) {
    if (isBlank(document)) continue;
    const readable = complainOfSyntax(document, text, complaints);
    const raw = readable ? toPlain(document, complaints) : undefined;
    if (raw !== undefined) documents.push({ raw, locator: locatorOf(document, lines, text) });
  }
  if (documents.length === 0 && complaints.length === 0) {
    complaints.push({ offset: 0, message: 'the file holds no job; a job begins with apiVersion: clobi/v1' });
  }
  const problems = complaints.map(({ offset, ...rest }) => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col, ...rest };
  });
  return { documents, problems };
}

/** What `---` at the beginning or end of a file makes. */
const isBlank = ({ contents, errors }: Document): boolean =>
  errors.length === 0 &&
  (contents === null || (isScalar(contents) && contents.value === null && contents.source === ''));

/** Feeds the parser word by word and stops at the limits, so that no text costs more than they allow. */
function composeWithin(text: string, lines: LineCounter, complaints: Complaint[]): Document[] {
  lines.addNewLine(0);
  const stop = (offset: number, message: string): Document[] => {
    complaints.push({ offset, message, limit: true });
    return [];
  };
  const parser = new Parser(lines.addNewLine);
  const composer = new Composer({
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'silent',
    version: '1.2',
    merge: false,
  });
  const documents: Document[] = [];
  let words = 0;
  try {
    for (const word of new Lexer().lex(text)) {
      words += 1;
      if (words > LIMITS.tokens) {
        return stop(
          parser.offset,
          `the file has more than ${LIMITS.tokens} words and marks; put a long list into a file of its own and name it in array.fromFile`,
        );
      }
      for (const token of parser.next(word)) documents.push(...composer.next(token));
      // The document itself and the scalar under way are on the stack too.
      if (parser.stack.length > LIMITS.depth + 2)
        return stop(parser.offset, `lists and maps are nested more than ${LIMITS.depth} deep`);
      if (documents.length > LIMITS.documents)
        return stop(
          parser.offset,
          `the file has more than ${LIMITS.documents} documents; submit it in parts`,
        );
    }
    for (const token of parser.end()) documents.push(...composer.next(token));
    documents.push(...composer.end());
  } catch (error) {
    complaints.push({
      offset: Math.min(parser.offset, text.length),
      message: `this is no YAML: ${messageOf(error)}`,
    });
  }
  return documents;
}

/** False when the form is so wrong that the values cannot be trusted. */
function complainOfSyntax(document: Document, text: string, complaints: Complaint[]): boolean {
  const seen = new Set<number>();
  let readable = true;
  for (const error of document.errors) {
    const line = text.lastIndexOf('\n', error.pos[0] - 1) + 1;
    if (error.code !== 'DUPLICATE_KEY') {
      readable = false;
      if (seen.has(line) || seen.size >= SYNTAX_PROBLEMS_SHOWN) continue;
      seen.add(line);
    }
    complaints.push({ offset: error.pos[0], message: explainSyntax(error, text, line) });
  }
  for (const warning of document.warnings) {
    const offset = warning.pos[0];
    complaints.push({
      offset,
      message:
        warning.code === 'TAG_RESOLVE_FAILED'
          ? 'tags (words that begin with "!") are not used in job files; put the text in quotes'
          : warning.message,
    });
  }
  if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== '1.2') {
    complaints.push({ offset: 0, message: 'a job file is YAML 1.2; remove the line %YAML' });
  }
  return readable;
}

function explainSyntax(error: YAMLError, text: string, lineStart: number): string {
  const lineEnd = text.indexOf('\n', lineStart);
  const line = text.slice(lineStart, lineEnd === -1 ? text.length : lineEnd);
  if (error.code === 'DUPLICATE_KEY') {
    const key = /^["']?([^"':\s]{1,60})/.exec(text.slice(error.pos[0], error.pos[0] + 80))?.[1];
    return `the key "${key ?? ''}" is given twice; remove one`;
  }
  if (error.code === 'TAB_AS_INDENT') return 'YAML is not indented by tabs; use spaces';
  if (/[[{,]\s*[^"'\s]*\$\{\{/.test(line))
    return `inside [ ] and { } a template must be in quotes: "\${{ … }}"`;
  if (error.code === 'BLOCK_AS_IMPLICIT_KEY') return 'a text that holds ": " must be in quotes';
  if (error.code === 'BAD_SCALAR_START')
    return `a text that begins with "${text[error.pos[0]] ?? ''}" must be in quotes`;
  return `this is no YAML: ${error.message.charAt(0).toLowerCase()}${error.message.slice(1)}`;
}

function toPlain(document: Document, complaints: Complaint[]): unknown {
  const before = complaints.length;
  complainOfNodes(document, complaints);
  if (complaints.length > before) return undefined;
  try {
    return document.toJS({ maxAliasCount: LIMITS.aliases });
  } catch {
    const message = `aliases multiply to more than ${LIMITS.aliases} copies; write the values out, or fewer of them`;
    complaints.push({ offset: document.contents?.range?.[0] ?? 0, message, limit: true });
    return undefined;
  }
}

/** What YAML allows and no job file can mean: keys that are lists or maps, aliases in circles, numbers cut short. */
function complainOfNodes(document: Document, complaints: Complaint[]): void {
  let aliases = 0;
  const above: Node[] = [];
  const complain = (node: unknown, message: string): number =>
    complaints.push({ offset: (node as Node | null)?.range?.[0] ?? 0, message });
  const visit = (node: unknown): void => {
    if (isAlias(node)) {
      aliases += 1;
      if (aliases > LIMITS.aliases) return;
      const target = node.resolve(document);
      if (target === undefined) complain(node, `there is no anchor &${node.source} before this alias`);
      else if (above.includes(target))
        complain(node, `the alias *${node.source} stands inside of what it stands for`);
    } else if (isScalar(node)) {
      const digits = node.source;
      if (
        typeof node.value === 'number' &&
        !Number.isSafeInteger(node.value) &&
        /^[-+]?\d+$/.test(digits ?? '')
      ) {
        complain(node, `the number ${digits ?? ''} has more digits than are kept; put it in quotes`);
      }
    } else if (isCollection(node)) {
      above.push(node);
      if (isMap(node)) for (const pair of node.items) visitPair(pair.key, pair.value);
      else if (isSeq(node)) for (const element of node.items) visit(element);
      above.pop();
    }
  };
  const visitPair = (key: unknown, value: unknown): void => {
    if (isScalar(key)) visit(value);
    else complain(key, 'a key must be a plain word; a template or a text with { } or [ ] must be in quotes');
  };
  visit(document.contents);
  if (aliases > LIMITS.aliases) {
    const message = `more than ${LIMITS.aliases} aliases; write the values out`;
    complaints.push({ offset: document.contents?.range?.[0] ?? 0, message, limit: true });
  }
}
