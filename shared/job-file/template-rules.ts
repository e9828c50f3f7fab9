import { holdsTemplate, parseTemplate, type Reference, referencesOf, valueAt } from './interpolate.ts';
import { type Finding, findNearMiss, formatPath } from './problems.ts';
import { isRemote } from './remote-inputs.ts';
import { type JobFile, outputEntries } from './schema.ts';

/** Whether every template of a job will have a value, found before anything is submitted. */
type Path = readonly PropertyKey[];

interface TemplatedText {
  path: Path;
  text: string;
  /** `run`: read by the agent. `stage`: read when the job is submitted and has no id yet. `never`: no templates here. */
  when: 'run' | 'stage' | 'never';
}

/** The form of `${{ item }}`; `later`: a file must be read first. */
type ItemForm = 'none' | 'text' | 'later' | { items: readonly unknown[] };

const AT_RUN = ['task.index', 'task.count', 'task.id', 'job.name', 'job.id'];
const AT_STAGE = ['task.index', 'task.count', 'job.name'];

export function checkTemplates(file: JobFile, given: ReadonlySet<string>): Finding[] {
  const known = { axes: axesOf(file, given), item: itemForm(file, given) };
  return templatedTexts(file).flatMap((entry) => checkText(entry, known));
}

/** Every `${{ item.x }}` of a job: what items that are read from a file must have. */
export const itemReferences = (file: JobFile): { path: Path; reference: Reference }[] =>
  templatedTexts(file).flatMap(({ path, text }) =>
    referencesOf(parseTemplate(text).parts)
      .filter((reference) => reference.path[0] === 'item')
      .map((reference) => ({ path, reference })),
  );

function checkText(
  { path, text, when }: TemplatedText,
  known: { axes: string[] | undefined; item: ItemForm },
): Finding[] {
  if (!holdsTemplate(text)) return [];
  const complain = (occurrence: number, message: string): Finding => ({
    path,
    message: `${formatPath(path)}: ${message}`,
    inside: { text: '${{', occurrence },
  });
  if (when === 'never') return [complain(0, 'templates are not read here')];
  const { parts, faults } = parseTemplate(text);
  return [
    ...faults.map((fault) => complain(fault.occurrence, fault.message)),
    ...referencesOf(parts).flatMap((reference) => {
      const message = complainOfReference(reference.path, { ...known, when });
      return message === undefined ? [] : [complain(reference.occurrence, message)];
    }),
  ];
}

interface Known {
  /** undefined: the matrix itself is wrong, so nothing is known. */
  axes: string[] | undefined;
  item: ItemForm;
  when: 'run' | 'stage';
}

function complainOfReference(path: Reference['path'], known: Known): string | undefined {
  const name = path.join('.');
  const [root, ...rest] = path;
  if (root === 'item' && known.item !== 'none') return complainOfItem(rest, known.item);
  if (root === 'matrix' && known.axes === undefined) return undefined;
  const names = [
    ...(known.when === 'run' ? AT_RUN : AT_STAGE),
    ...(known.axes ?? []).map((axis) => `matrix.${axis}`),
  ];
  if (names.includes(name)) return undefined;
  if (AT_RUN.includes(name)) return `\${{ ${name} }} is not known yet when inputs are gathered`;
  if (root === 'item') return `\${{ ${name} }} has no value: this job has no array of items`;
  if (root === 'matrix' && known.axes?.length === 0)
    return `\${{ ${name} }} has no value: this job has no matrix`;
  const near = findNearMiss(name, known.item === 'none' ? names : [...names, 'item']);
  return `there is no value \${{ ${name} }}; ${near === undefined ? `there are ${names.join(', ')}` : `did you mean \${{ ${near} }}?`}`;
}

function complainOfItem(rest: readonly string[], form: ItemForm): string | undefined {
  if (rest.length === 0 || form === 'later' || form === 'none') return undefined;
  if (form === 'text') return 'items are plain text here and have no fields; write ${{ item }}';
  const lacking = form.items.findIndex((item) => valueAt(item, rest) === undefined);
  return lacking === -1 ? undefined : explainLackingField(rest, form.items[lacking], lacking);
}

/** Says which item lacks a field, and which field was probably meant. */
export function explainLackingField(rest: readonly string[], item: unknown, index: number): string {
  const name = rest.join('.');
  if (typeof item !== 'object' || item === null) return `item ${index} is no map and has no field "${name}"`;
  const near = findNearMiss(rest[0] ?? '', Object.keys(item));
  return `item ${index} has no field "${name}"${near === undefined || near === rest[0] ? '' : `; did you mean \${{ item.${near} }}?`}`;
}

function axesOf(file: JobFile, given: ReadonlySet<string>): string[] | undefined {
  if (file.matrix === undefined) return given.has('matrix') ? undefined : [];
  return Object.keys(file.matrix).filter((name) => name !== 'include' && name !== 'exclude');
}

function itemForm({ array }: JobFile, given: ReadonlySet<string>): ItemForm {
  if (array === undefined) return given.has('array') ? 'later' : 'none';
  if (array.items !== undefined) return { items: array.items };
  if (array.glob !== undefined) return 'text';
  if (array.fromFile !== undefined) return itemsFormat(array) === 'lines' ? 'text' : 'later';
  return array.count === undefined ? 'later' : 'none';
}

export function itemsFormat(array: NonNullable<JobFile['array']>): 'lines' | 'jsonl' {
  return array.format ?? (/\.(jsonl|ndjson)$/i.test(array.fromFile ?? '') ? 'jsonl' : 'lines');
}

function templatedTexts(file: JobFile): TemplatedText[] {
  const { stdin } = file;
  const at =
    (when: TemplatedText['when']) =>
    (path: Path, text: string | undefined): TemplatedText[] =>
      text === undefined ? [] : [{ path, text, when }];
  const [run, never] = [at('run'), at('never')];
  return [
    ...(file.command ?? []).flatMap((word, index) => run(['command', index], word)),
    ...run(['script'], file.script),
    ...Object.entries(file.env ?? {}).flatMap(([name, value]) => run(['env', name], value)),
    ...(typeof stdin === 'string' ? run(['stdin'], stdin) : []),
    ...(typeof stdin === 'object'
      ? Object.entries(stdin).flatMap(([key, value]) => run(['stdin', key], value))
      : []),
    ...templatedInputs(file, at),
    ...outputEntries(file).flatMap(({ path, output }) =>
      typeof output === 'string' ? run(path, output) : run([...path, 'glob'], output.glob),
    ),
    ...Object.entries(file.labels ?? {}).flatMap(([name, value]) => never(['labels', name], value)),
    ...never(['array', 'fromFile'], file.array?.fromFile),
    ...never(['array', 'glob'], file.array?.glob),
  ];
}

function templatedInputs(
  file: JobFile,
  at: (when: TemplatedText['when']) => (path: Path, text: string | undefined) => TemplatedText[],
): TemplatedText[] {
  return (file.inputs ?? []).flatMap((input, index) => {
    // What lies elsewhere is looked up when its task is dispatched.
    if (typeof input === 'string') return at(isRemote(input) ? 'run' : 'stage')(['inputs', index], input);
    const read = at(input.url !== undefined ? 'run' : input.fromJob === undefined ? 'stage' : 'never');
    return (['path', 'glob', 'url', 'to'] as const).flatMap((key) =>
      read(['inputs', index, key], input[key]),
    );
  });
}
