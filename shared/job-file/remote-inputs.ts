import { posix } from 'node:path';
import type { RemoteInput } from '../job-spec.ts';
import { parseTemplate, renderTemplate, type TaskContext } from './interpolate.ts';

/** Inputs that are named by where they lie, not by a file of the submitter's. */
const SCHEMES = /^(s3|azblob|https):\/\//;

export const isRemote = (text: string): boolean => SCHEMES.test(text);

/** The URL and the place in the work directory, for one task. */
export function renderRemote(
  { url, to, unpack }: RemoteInput,
  jobName: string,
  task: TaskContext,
): { url: string; to: string } {
  const rendered = renderTemplate(parseTemplate(url).parts, jobName, task, encodeInUrl);
  const place = to === null ? null : renderTemplate(parseTemplate(to).parts, jobName, task);
  return { url: rendered, to: destinationOf(rendered, place, unpack) };
}

/** A value is a name or a path, not a part of the URL's grammar. */
const encodeInUrl = (value: string): string => encodeURIComponent(value).replaceAll('%2F', '/');

function destinationOf(url: string, to: string | null, unpack: boolean): string {
  if (unpack) return to === null ? '.' : posix.normalize(to).replace(/(.)\/+$/, '$1');
  const name = lastName(url);
  if (to === null) return name;
  return to.endsWith('/') || to === '.' ? posix.join(to, name) : posix.normalize(to);
}

/** Never `..` and never empty, whatever the URL ends in. */
function lastName(url: string): string {
  const path = URL.canParse(url) ? new URL(url).pathname : url;
  const last = decode(path.split('/').findLast((part) => part !== '') ?? '').replaceAll('/', '_');
  return last === '' || last === '.' || last === '..' ? 'input' : last;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
