import { messageOf } from '../errors.ts';
import { parseCloudUrl } from '../providers/url.ts';
import { holdsTemplate } from './interpolate.ts';
import { type Finding, formatPath } from './problems.ts';
import { isRemote } from './remote-inputs.ts';

type Path = readonly PropertyKey[];

const finding = (path: Path, message: string): Finding => ({
  path,
  message: `${formatPath(path)}: ${message}`,
});

/** An input by reference. One that holds a template is known only when its task is. */
export function checkRemote(path: Path, text: string): Finding[] {
  if (!isRemote(text)) return [finding(path, 'must begin with s3://, azblob:// or https://')];
  if (holdsTemplate(text)) return [];
  if (text.startsWith('https:')) return URL.canParse(text) ? [] : [finding(path, `"${text}" is no URL`)];
  return checkCloud(path, text, { key: 'names no object in it' });
}

/** Where outputs are published: a bucket or container, and a prefix in it. */
export function checkPublishPlace(path: Path, text: string): Finding[] {
  if (holdsTemplate(text)) return [finding(path, 'templates are not read here')];
  if (text.startsWith('file:'))
    return /^file:\/(?!\/[^/])/.test(text)
      ? []
      : [finding(path, 'needs a path from the root and no host: file:/DIRECTORY')];
  if (!/^(s3|azblob):\/\//.test(text)) return [finding(path, 'must begin with s3://, azblob:// or file:/')];
  return checkCloud(path, text, {});
}

function checkCloud(path: Path, text: string, { key }: { key?: string }): Finding[] {
  try {
    const url = parseCloudUrl(text);
    if (new URL(text).searchParams.has('credentials'))
      return [finding(path, 'a job may not choose credentials; leave credentials= out')];
    const rest = url.kind === 'azblob' ? url.path.split('/').slice(1).join('/') : url.path;
    return key !== undefined && rest === '' ? [finding(path, `"${text}" ${key}`)] : [];
  } catch (error) {
    return [finding(path, messageOf(error).replace(/\.$/, ''))];
  }
}
