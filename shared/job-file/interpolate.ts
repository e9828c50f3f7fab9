import { ClobiError } from '../errors.ts';
import type { JobSpec, OutputRule, TaskParams } from '../job-spec.ts';

/**
 * Templates: `${{ matrix.x }}`, `${{ item }}`, `${{ item.field }}`, `${{ task.index }}`, `${{ task.count }}`,
 * `${{ task.id }}`, `${{ job.name }}`, `${{ job.id }}`; `$${{` stands for a plain `${{`. Values are put in as they
 * are: nothing is evaluated and nothing in a value is read as a template again. Agents load this file, so it
 * imports nothing heavy.
 */
export interface Reference {
  path: readonly [string, ...string[]];
  /** It is the n-th `${{` of its text, from 0; tells where to point. */
  occurrence: number;
}
export type Template = readonly (string | Reference)[];

export interface TemplateFault {
  message: string;
  occurrence: number;
}

export interface TaskContext {
  jobId: string;
  index: number;
  /** Number of tasks in the whole job. */
  count: number;
  params: TaskParams;
}

export interface RenderedTask {
  command: readonly string[] | null;
  script: string | null;
  env: Readonly<Record<string, string>>;
  stdin: { text: string } | { path: string } | null;
  /** Values that came into a glob by a template stand for themselves: their `*?[]{}()!` are escaped by `\`. */
  outputs: readonly OutputRule[];
}

/** The parts of a spec that hold templates, parsed once per job. */
export interface CompiledTemplates {
  jobName: string;
  /** Set when nothing holds a template: every task gets this very object. */
  constant: RenderedTask | undefined;
  command: readonly Template[] | null;
  script: Template | null;
  env: readonly (readonly [string, Template])[];
  stdin: { text: Template } | { path: Template } | null;
  outputs: readonly { rule: OutputRule; glob: Template }[];
}

type TemplatedSpec = Pick<JobSpec, 'name' | 'command' | 'script' | 'env' | 'stdin' | 'outputs'>;

const OPEN = '${{';
const CLOSE = '}}';
const REFERENCE = /^[A-Za-z_][\w-]*(\.[\w-]+)*$/;

/** Throws `INVALID_JOB` on a malformed template; a job that came through the job file has none. */
export function compileTemplates(spec: TemplatedSpec): CompiledTemplates {
  const compiled = {
    jobName: spec.name,
    command: spec.command?.map(parseOrThrow) ?? null,
    script: spec.script === null ? null : parseOrThrow(spec.script),
    env: Object.entries(spec.env).map(([name, value]) => [name, parseOrThrow(value)] as const),
    stdin: compileStdin(spec.stdin),
    outputs: spec.outputs.map((rule) => ({ rule, glob: parseOrThrow(rule.glob) })),
  };
  return { ...compiled, constant: holdsTemplates(spec) ? undefined : constantTask(spec) };
}

/** What one task runs. Throws `INVALID_JOB` when a reference has no value for this task. */
export function renderTask(compiled: CompiledTemplates, context: TaskContext): RenderedTask {
  if (compiled.constant !== undefined) return compiled.constant;
  const fill = (template: Template): string => renderTemplate(template, compiled.jobName, context);
  const fillGlob = (template: Template): string =>
    renderTemplate(template, compiled.jobName, context, escapeGlob);
  return {
    command: compiled.command?.map(fill) ?? null,
    script: compiled.script === null ? null : fill(compiled.script),
    env: Object.fromEntries(compiled.env.map(([name, template]) => [name, fill(template)])),
    stdin: renderStdin(compiled.stdin, fill),
    outputs: compiled.outputs.map(({ rule, glob }) => ({ ...rule, glob: fillGlob(glob) })),
  };
}

/** Splits a text into literal parts and references. What is malformed is named in `faults` and kept as text. */
export function parseTemplate(text: string): { parts: Template; faults: TemplateFault[] } {
  const parts: (string | Reference)[] = [];
  const faults: TemplateFault[] = [];
  let literal = '';
  let from = 0;
  let occurrence = 0;
  for (let at = text.indexOf(OPEN); at !== -1; at = text.indexOf(OPEN, from)) {
    if (at > from && text[at - 1] === '$') {
      literal += text.slice(from, at - 1) + OPEN;
      from = at + OPEN.length;
      occurrence += 1;
      continue;
    }
    const close = text.indexOf(CLOSE, at);
    if (close === -1) {
      faults.push({
        occurrence,
        message:
          'a template begins here with ${{ and does not end with }}; write $${{ for the plain characters',
      });
      break;
    }
    const inner = text.slice(at + OPEN.length, close);
    literal += text.slice(from, at);
    from = close + CLOSE.length;
    if (REFERENCE.test(inner.trim())) {
      if (literal !== '') parts.push(literal);
      literal = '';
      parts.push({ path: inner.trim().split('.') as [string, ...string[]], occurrence });
    } else {
      faults.push({ occurrence, message: faultyReference(inner.trim()) });
      literal += text.slice(at, from);
    }
    occurrence += inner.split(OPEN).length;
  }
  literal += text.slice(from);
  if (literal !== '') parts.push(literal);
  return { parts, faults };
}

/** The text that renders as `text` itself. */
export const escapeTemplate = (text: string): string => text.replaceAll(OPEN, () => `$${OPEN}`);

/** True when rendering would change the text (a template, or an escaped one). */
export const holdsTemplate = (text: string): boolean => text.includes(OPEN);

export const referencesOf = (template: Template): Reference[] =>
  template.filter((part): part is Reference => typeof part !== 'string');

const formatReference = (path: readonly string[]): string => `${OPEN} ${path.join('.')} ${CLOSE}`;

/** Throws `INVALID_JOB` when a reference has no value in this context. */
export function renderTemplate(
  template: Template,
  jobName: string,
  context: TaskContext,
  escape: (value: string) => string = (value) => value,
): string {
  let text = '';
  for (const part of template)
    text += typeof part === 'string' ? part : escape(lookUp(part.path, jobName, context));
  return text;
}

/** A value so written that a glob takes it literally. */
export const escapeGlob = (value: string): string =>
  value.replaceAll(/[\\*?[\]{}()|]|^!/g, (char) => `\\${char}`);

/** The value at `path` inside an item or a combination; undefined when there is none. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  let here = value;
  for (const name of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, name)) return undefined;
    here = (here as Record<string, unknown>)[name];
  }
  return here;
}

function lookUp([root, ...path]: Reference['path'], jobName: string, context: TaskContext): string {
  const value = valueAt(rootValue(root, jobName, context), path);
  if (value === undefined || (root !== 'item' && typeof value === 'object')) {
    const reference = formatReference([root, ...path]);
    throw new ClobiError('INVALID_JOB', `${reference} has no value in task ${context.index} of this job.`);
  }
  if (value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function rootValue(root: string, jobName: string, context: TaskContext): unknown {
  switch (root) {
    case 'item':
      return context.params.item;
    case 'matrix':
      return context.params.matrix;
    case 'task':
      return { index: context.index, count: context.count, id: `${context.jobId}/${context.index}` };
    case 'job':
      return { name: jobName, id: context.jobId };
    default:
      return undefined;
  }
}

function faultyReference(inner: string): string {
  const shown = inner.length > 40 ? `${inner.slice(0, 40)}…` : inner;
  return inner === ''
    ? 'the template names nothing; write for example ${{ item }}'
    : `"${shown}" is no name of a value: templates hold a name such as item, matrix.x or task.index, no expressions`;
}

function parseOrThrow(text: string): Template {
  const { parts, faults } = parseTemplate(text);
  const [fault] = faults;
  if (fault !== undefined)
    throw new ClobiError('INVALID_JOB', `In ${JSON.stringify(text.slice(0, 80))}: ${fault.message}.`);
  return parts;
}

function compileStdin(stdin: JobSpec['stdin']): CompiledTemplates['stdin'] {
  if (stdin === null) return null;
  return 'text' in stdin ? { text: parseOrThrow(stdin.text) } : { path: parseOrThrow(stdin.path) };
}

function renderStdin(
  stdin: CompiledTemplates['stdin'],
  fill: (template: Template) => string,
): RenderedTask['stdin'] {
  if (stdin === null) return null;
  return 'text' in stdin ? { text: fill(stdin.text) } : { path: fill(stdin.path) };
}

function holdsTemplates(spec: TemplatedSpec): boolean {
  const stdin = spec.stdin === null ? '' : 'text' in spec.stdin ? spec.stdin.text : spec.stdin.path;
  return [
    ...(spec.command ?? []),
    spec.script ?? '',
    ...Object.values(spec.env),
    stdin,
    ...spec.outputs.map((rule) => rule.glob),
  ].some(holdsTemplate);
}

const constantTask = (spec: TemplatedSpec): RenderedTask => ({
  command: spec.command,
  script: spec.script,
  env: spec.env,
  stdin: spec.stdin,
  outputs: spec.outputs,
});
