import type { Context } from '../context.ts';
import { readVersion } from '../version.ts';

export async function run(context: Context): Promise<undefined> {
  const version = {
    clobi: readVersion(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
  await context.output.record(version, {
    name: (value) => value.clobi,
    fields: (value) => [
      ['Clobi', value.clobi],
      ['Node', value.node],
      ['Platform', value.platform],
    ],
  });
}
