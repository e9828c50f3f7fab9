import type { Context } from '../context.ts';

interface Options {
  pool: string;
  name?: string;
  slots?: number;
  cpus?: number;
  memory?: number;
  gpus?: number;
  disk?: number;
  label?: Record<string, string>;
  config?: string;
}

export async function run(context: Context, _args: readonly string[], options: Options): Promise<undefined> {
  const { runAgent } = await import('../../../agent/main.ts');
  const { pool, name, slots, cpus, gpus, memory, disk, label, config } = options;
  await runAgent({
    home: context.home,
    pool,
    ...(name !== undefined && { name }),
    ...(slots !== undefined && { slots }),
    ...(cpus !== undefined && { cpus }),
    ...(memory !== undefined && { memoryBytes: memory }),
    ...(disk !== undefined && { diskBytes: disk }),
    ...(gpus !== undefined && { gpus }),
    ...(label !== undefined && { labels: label }),
    ...(config !== undefined && { configFile: config }),
  });
}
