import { type Finding, formatPath } from './problems.ts';
import type { JobFile } from './schema.ts';

type Path = readonly PropertyKey[];
type SourceOf = (path: Path) => string | undefined;

/**
 * Numbers that tasks get as text must be written as they will come out: YAML reads `007` as 7 and `1.10` as 1.1,
 * which is a wrong file name or version later on.
 */
export function checkNumberForms(file: JobFile, sourceOf: SourceOf): Finding[] {
  const { include = [], exclude = [], ...axes } = file.matrix ?? {};
  return [
    ...(file.array?.items ?? []).flatMap((item, index) =>
      checkValue(item, ['array', 'items', index], sourceOf),
    ),
    ...Object.entries(axes).flatMap(([name, axis]) =>
      Array.isArray(axis)
        ? axis.flatMap((value, index) => checkValue(value, ['matrix', name, index], sourceOf))
        : [],
    ),
    ...include.flatMap((entry, index) => checkValue(entry, ['matrix', 'include', index], sourceOf)),
    ...exclude.flatMap((entry, index) => checkValue(entry, ['matrix', 'exclude', index], sourceOf)),
  ];
}

function checkValue(value: unknown, path: Path, sourceOf: SourceOf): Finding[] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, inner]) =>
      typeof inner === 'number' ? checkValue(inner, [...path, key], sourceOf) : [],
    );
  }
  if (typeof value !== 'number') return [];
  const source = sourceOf(path);
  if (source === undefined || source === String(value)) return [];
  const message = `${formatPath(path)}: ${source} is read as the number ${value}; write ${value}, or "${source}" in quotes to keep it`;
  return [{ path, message }];
}
