import { constants } from 'node:os';
import { parseBytes, parseDuration } from '../units-of-measure.ts';
import { type Finding, formatPath, suggest } from './problems.ts';
import { isRemote } from './remote-inputs.ts';
import { checkPublishPlace, checkRemote } from './remote-rules.ts';
import { type JobFile, outputEntries, publishPlace } from './schema.ts';

/** What the schema cannot say of single fields: this one or that one, inside the work directory, of some use. */
type Given = ReadonlySet<string>;
type Path = readonly PropertyKey[];

export function checkFields(file: JobFile, given: Given): Finding[] {
  return [
    ...checkProgram(file, given),
    ...checkInputs(file, given),
    ...checkOutputs(file),
    ...checkResources(file),
    ...checkTimes(file),
    ...checkRetry(file),
    ...checkPlacement(file),
    ...checkFailFast(file),
  ];
}

const finding = (path: Path, message: string, at?: 'key'): Finding => ({
  path,
  message: `${formatPath(path)}: ${message}`,
  ...(at && { at }),
});

function checkProgram(file: JobFile, given: Given): Finding[] {
  const found: Finding[] = [];
  if (!given.has('command') && !given.has('script')) {
    found.push({ path: [], message: 'a job needs a command or a script: command: [program, argument]' });
  }
  if (given.has('command') && given.has('script'))
    found.push(finding(['script'], 'command is given too; a job has one of the two', 'key'));
  if (given.has('shell') && !given.has('script'))
    found.push(finding(['shell'], 'is for a script; a command runs without a shell', 'key'));
  if (typeof file.stdin === 'object' && 'path' in file.stdin)
    found.push(...checkInside(['stdin', 'path'], file.stdin.path));
  return found;
}

/** Paths of the work directory must stay in it. */
export function checkInside(path: Path, text: string): Finding[] {
  if (text.startsWith('/'))
    return [finding(path, `must be inside the work directory, so it cannot begin with "/": "${text}"`)];
  if (text.split('/').includes('..'))
    return [finding(path, `must be inside the work directory, so it cannot hold "..": "${text}"`)];
  return [];
}

function checkInputs(file: JobFile, given: Given): Finding[] {
  return (file.inputs ?? []).flatMap((input, index) => {
    const path = ['inputs', index];
    if (typeof input === 'string') return isRemote(input) ? checkRemote(path, input) : [];
    const found = input.to === undefined ? [] : checkInside([...path, 'to'], input.to);
    if (input.fromJob !== undefined) return [...found, ...checkUpstream(input, path, { file, given })];
    const sources = [input.path, input.glob, input.url].filter((source) => source !== undefined);
    if (sources.length !== 1)
      found.push(finding(path, 'must have exactly one of path, glob, url and fromJob'));
    if (input.url !== undefined) found.push(...checkRemote([...path, 'url'], input.url));
    for (const key of ['sha256', 'unpack'] as const) {
      if (input[key] !== undefined && input.path === undefined && input.url === undefined)
        found.push(finding([...path, key], 'is for one file, named by path or url', 'key'));
    }
    return found;
  });
}

type InputMap = Exclude<NonNullable<JobFile['inputs']>[number], string>;

function checkUpstream(
  input: InputMap,
  path: Path,
  { file, given }: { file: JobFile; given: Given },
): Finding[] {
  const found: Finding[] = [];
  if (input.glob === undefined)
    found.push(finding(path, 'fromJob needs a glob: which outputs of that job to bring'));
  else found.push(...checkInside([...path, 'glob'], input.glob));
  for (const key of ['path', 'url', 'sha256', 'unpack'] as const) {
    if (input[key] !== undefined)
      found.push(finding([...path, key], 'does not go together with fromJob', 'key'));
  }
  const names = (file.depends ?? []).map((entry) => (typeof entry === 'string' ? entry : entry.job));
  // Wrong dependencies have their own problem.
  const unknown = input.fromJob !== undefined && !names.includes(input.fromJob);
  if (unknown && !(given.has('depends') && file.depends === undefined)) {
    found.push(
      finding(
        [...path, 'fromJob'],
        `this job does not depend on "${input.fromJob ?? ''}"; name it in depends`,
      ),
    );
  }
  return found;
}

function checkOutputs(file: JobFile): Finding[] {
  const to = publishPlace(file);
  return [
    ...outputEntries(file).flatMap(({ path, output }) =>
      typeof output === 'string' ? checkInside(path, output) : checkInside([...path, 'glob'], output.glob),
    ),
    ...(to === undefined ? [] : checkPublishPlace(['outputs', 'to'], to)),
  ];
}

function checkResources(file: JobFile): Finding[] {
  return (['memory', 'disk'] as const).flatMap((key) => {
    const text = file.resources?.[key];
    if (text === undefined || parseBytes(text) >= 1024 * 1024) return [];
    return [
      finding(
        ['resources', key],
        `"${text}" is less than 1MiB; a unit such as MiB or GiB is probably missing`,
      ),
    ];
  });
}

function checkTimes(file: JobFile): Finding[] {
  const found: Finding[] = [];
  const positive = (path: Path, text: string | undefined): void => {
    if (text !== undefined && parseDuration(text) === 0) found.push(finding(path, 'must be longer than 0'));
  };
  if (typeof file.timeout === 'string') positive(['timeout'], file.timeout);
  else for (const key of ['run', 'queue'] as const) positive(['timeout', key], file.timeout?.[key]);
  const backoff = typeof file.retry === 'object' ? file.retry.backoff : undefined;
  if (
    backoff?.initial !== undefined &&
    backoff.max !== undefined &&
    parseDuration(backoff.initial) > parseDuration(backoff.max)
  ) {
    found.push(
      finding(
        ['retry', 'backoff', 'initial'],
        `${backoff.initial} is longer than backoff.max, ${backoff.max}`,
      ),
    );
  }
  return found;
}

function checkRetry(file: JobFile): Finding[] {
  if (typeof file.retry !== 'object') return [];
  const { rules = [], limit = 0 } = file.retry;
  return rules.flatMap((rule, index) => {
    const path = ['retry', 'rules', index];
    const { action, ...conditions } = rule;
    const found =
      Object.keys(conditions).length > 0
        ? []
        : [finding(path, 'has no condition; give exitCodes, signals, timeout or oom')];
    if (action === 'retry' && limit === 0) {
      found.push(
        finding([...path, 'action'], 'nothing is tried again while retry.limit is 0; set retry.limit'),
      );
    }
    const codes =
      rule.exitCodes === undefined ? [] : Array.isArray(rule.exitCodes) ? rule.exitCodes : [rule.exitCodes];
    for (const [at, code] of codes.entries()) {
      const where = Array.isArray(rule.exitCodes) ? [...path, 'exitCodes', at] : [...path, 'exitCodes'];
      if (typeof code === 'string') found.push(...checkCodeRange(where, code));
    }
    return [...found, ...checkSignals(path, rule.signals ?? [])];
  });
}

function checkCodeRange(path: Path, text: string): Finding[] {
  const [from = 0, to = from] = text.split('-').map(Number);
  if (from > to) return [finding(path, `${from} is above ${to}; write "${to}-${from}"`)];
  return from < 1 || to > 255 ? [finding(path, 'exit codes of failures go from 1 to 255')] : [];
}

const SIGNAL_NAMES = Object.keys(constants.signals);

/** `KILL` is taken for `SIGKILL`. */
export const fullSignalName = (name: string): string =>
  (name.startsWith('SIG') ? name : `SIG${name}`).toUpperCase();

const checkSignals = (path: Path, names: readonly string[]): Finding[] =>
  names.flatMap((name, index) =>
    SIGNAL_NAMES.includes(fullSignalName(name))
      ? []
      : [
          finding(
            [...path, 'signals', index],
            `"${name}" is no signal${suggest(fullSignalName(name), SIGNAL_NAMES)}`,
          ),
        ],
  );

function checkPlacement(file: JobFile): Finding[] {
  const { require, prefer: _, ...direct } = file.placement ?? {};
  return Object.keys(direct)
    .filter((key) => require !== undefined && Object.hasOwn(require, key))
    .map((key) => finding(['placement', key], `is given in placement.require too; keep one`, 'key'));
}

function checkFailFast(file: JobFile): Finding[] {
  if (typeof file.failFast !== 'string' || Number.parseFloat(file.failFast) > 0) return [];
  return [finding(['failFast'], 'must be more than 0%')];
}
