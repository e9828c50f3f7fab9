import type { Context } from '../context.ts';

interface Options {
  listen?: string;
  logLevel?: string;
  set?: Record<string, string>;
  takeOver?: boolean;
}

export async function run(context: Context, _args: readonly string[], options: Options): Promise<undefined> {
  const { runCoordinator } = await import('../../main.ts');
  await runCoordinator({
    home: context.home,
    listen: options.listen,
    logLevel: options.logLevel,
    settings: options.set ?? {},
    takeOver: options.takeOver === true,
  });
}
