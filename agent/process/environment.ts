/** All that tasks get of the agent's environment. */
const PASSED_ON = ['PATH', 'LANG', 'TZ'] as const;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function read(): Record<string, string> {
  const env: Record<string, string> = { PATH: DEFAULT_PATH };
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** As it was when the agent started. */
export const AGENT_ENVIRONMENT: Readonly<Record<string, string>> = read();
