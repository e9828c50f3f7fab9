import { z } from 'zod';
import { jobFileSchema } from './schema.ts';

let made: Record<string, unknown> | undefined;

/** The published JSON Schema of one document of a job file, for editors (`clobi schema print job`). */
export function jobFileJsonSchema(): Record<string, unknown> {
  made ??= z.toJSONSchema(jobFileSchema, { io: 'input', target: 'draft-2020-12' });
  return made;
}

/** The keys that job files may have in the map at `path`; empty where any key may stand. */
export const knownKeysAt = (path: readonly PropertyKey[]): string[] => knownKeysIn(jobFileJsonSchema(), path);

/** The same for any JSON Schema. */
export function knownKeysIn(schema: Record<string, unknown>, path: readonly PropertyKey[]): string[] {
  let nodes = [schema];
  for (const part of path) nodes = nodes.flatMap(alternatives).flatMap((node) => childrenOf(node, part));
  const keys = nodes.flatMap(alternatives).flatMap((node) => Object.keys(objectAt(node, 'properties') ?? {}));
  return [...new Set(keys)];
}

function childrenOf(node: Record<string, unknown>, part: PropertyKey): Record<string, unknown>[] {
  const child =
    typeof part === 'number'
      ? objectAt(node, 'items')
      : (objectAt(objectAt(node, 'properties') ?? {}, String(part)) ??
        objectAt(node, 'additionalProperties'));
  return child === undefined ? [] : [child];
}

function alternatives(node: Record<string, unknown>): Record<string, unknown>[] {
  const options = node['anyOf'];
  if (!Array.isArray(options)) return [node];
  return options.filter(isObject).flatMap(alternatives);
}

function objectAt(node: Record<string, unknown>, key: string): Record<string, unknown> | undefined {
  const value = Object.hasOwn(node, key) ? node[key] : undefined;
  return isObject(value) ? value : undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
