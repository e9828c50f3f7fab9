import { POOL_COMMANDS } from './pool.ts';
import { type CommandEntry, GROUPS } from './types.ts';

const TASK = { '<task>': 'JOB/INDEX, like last/0' };

const TASK_COMMANDS: readonly CommandEntry[] = [
  {
    path: 'task list',
    arguments: { '<job>': 'id, beginning of an id, or "last"' },
    summary: 'List the tasks of a job',
    options: [
      {
        flags: '--state <state>',
        help: 'only tasks in this state',
        choices: [
          'blocked',
          'ready',
          'dispatched',
          'running',
          'backoff',
          'succeeded',
          'failed',
          'cancelled',
          'lost',
        ],
      },
      { flags: '-n, --limit <n>', help: 'at most so many', value: 'count' },
    ],
    examples: [
      ['task list last', 'all of the newest job'],
      ['task list last --state failed', 'what failed'],
      ['task list last --state running -o wide', 'what runs where'],
    ],
    next: '"clobi task show JOB/INDEX" tells more of one.',
    group: GROUPS.work,
    load: () => import('../commands/task-list.ts'),
  },
  {
    path: 'task show',
    arguments: TASK,
    summary: 'Show one task: state, place, how it ended',
    examples: [['task show last/0', 'the first task of the newest job']],
    next: '"clobi task logs JOB/INDEX" prints its output; "clobi explain JOB/INDEX" says why it is as it is.',
    group: GROUPS.work,
    load: () => import('../commands/task-show.ts'),
  },
  {
    path: 'task logs',
    arguments: TASK,
    summary: 'Print what one task prints, byte by byte when not on a terminal',
    options: [
      { flags: '-f, --follow', help: 'go on while it runs. Ctrl-C detaches' },
      { flags: '--stdout', help: 'only standard output' },
      { flags: '--stderr', help: 'only standard error' },
      { flags: '--attempt <id>', help: 'of this attempt, like 1.2 (default: the one that counts)' },
    ],
    examples: [
      ['task logs last/0', 'both streams'],
      ['task logs last/0 --stdout > out.bin', 'exactly what it wrote'],
      ['task logs -f last/0', 'follow it'],
    ],
    next: '"clobi task attempts JOB/INDEX" lists earlier attempts.',
    group: GROUPS.work,
    load: () => import('../commands/task-logs.ts'),
  },
  {
    path: 'task attempts',
    arguments: TASK,
    summary: 'List the attempts of one task and how each ended',
    examples: [
      ['task attempts last/0', 'of the first task of the newest job'],
      ['task attempts last/0 -o wide', 'with units and runs'],
    ],
    next: '"clobi task logs JOB/INDEX --attempt ID" prints what one attempt printed.',
    group: GROUPS.work,
    load: () => import('../commands/task-attempts.ts'),
  },
];

const SERVICE_COMMANDS: readonly CommandEntry[] = [
  {
    path: 'coordinator start',
    summary: 'Run the coordinator in the foreground; SIGTERM stops it cleanly',
    options: [
      {
        flags: '--listen <host:port>',
        help: 'where the API answers (default: 127.0.0.1:7475); port 0 takes any free one',
      },
      {
        flags: '--log-level <level>',
        help: 'how much is logged',
        choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      },
      {
        flags: '--set <name=value>',
        help: 'any other setting, like dead=30s; may be repeated',
        value: 'labels',
      },
      { flags: '--take-over', help: 'though another coordinator holds this store' },
    ],
    examples: [
      ['coordinator start', 'with its state in the home directory'],
      ['coordinator start --home /var/lib/clobi', 'somewhere else'],
      ['coordinator start --set patience=5m', 'with another setting'],
    ],
    next: '"clobi agent start --pool local" in another terminal gives it hands.',
    group: GROUPS.services,
    load: () => import('../commands/coordinator-start.ts'),
  },
  {
    path: 'coordinator status',
    summary: 'Show the running coordinator: version, epoch, tasks by state',
    examples: [
      ['coordinator status', 'at a glance'],
      ['coordinator status -o json', 'for programs'],
    ],
    next: '"clobi doctor" checks everything around it.',
    group: GROUPS.services,
    load: () => import('../commands/coordinator-status.ts'),
  },
  {
    path: 'coordinator logs',
    summary: 'Print the log of the coordinator of this home',
    options: [
      { flags: '-f, --follow', help: 'go on, through every rotation' },
      { flags: '-n, --lines <n>', help: 'so many of the last lines', value: 'integer', default: 200 },
    ],
    examples: [
      ['coordinator logs -f', 'follow it'],
      ['coordinator logs -n 1000 | grep error', 'JSON lines when not on a terminal'],
    ],
    next: '"clobi job events JOB" has the history of one job.',
    group: GROUPS.services,
    load: () => import('../commands/coordinator-logs.ts'),
  },
  {
    path: 'coordinator rebuild',
    summary: 'Make the database anew from what the store holds',
    details:
      'For a lost or damaged database. Finished tasks keep their results; what was open is dispatched again, except under retry.lost: 0. The coordinator must not be running.',
    options: [{ flags: '--force', help: 'though there is a database: it is put aside' }],
    examples: [
      ['coordinator rebuild', 'after the database was lost'],
      ['coordinator rebuild --home /var/lib/clobi', 'somewhere else'],
    ],
    next: '"clobi coordinator start" then finishes what was open.',
    group: GROUPS.services,
    load: () => import('../commands/coordinator-rebuild.ts'),
  },
  {
    path: 'agent start',
    summary: 'Run an agent in the foreground; SIGTERM drains it, a second one stops it now',
    options: [
      { flags: '--pool <name>', help: 'the pool whose work it takes', default: 'local' },
      { flags: '--name <name>', help: 'its name (default: the host name and a number)' },
      { flags: '--slots <n>', help: 'tasks at the same time (default: one a processor)', value: 'count' },
      { flags: '--cpus <n>', help: 'processors it gives to tasks', value: 'number' },
      { flags: '--memory <size>', help: 'memory it gives to tasks, like 8GiB', value: 'bytes' },
      { flags: '--gpus <n>', help: 'GPUs it gives to tasks', value: 'integer' },
      { flags: '--disk <size>', help: 'disk it gives to tasks (default: what is free)', value: 'bytes' },
      { flags: '--label <key=value>', help: 'what placement may ask for; may be repeated', value: 'labels' },
      {
        flags: '--config <file>',
        help: 'the agent.json of the pool (default: the one in the home directory)',
      },
    ],
    examples: [
      ['agent start', 'serves the pool "local"'],
      ['agent start --pool big --slots 16 --memory 64GiB', 'another pool, with bounds'],
    ],
    next: '"clobi agent list" shows it; "clobi submit FILE" gives it something to do.',
    group: GROUPS.services,
    load: () => import('../commands/agent-start.ts'),
  },
  {
    path: 'agent list',
    summary: 'List agents and what they hold',
    examples: [
      ['agent list', 'who is there'],
      ['agent list -o wide', 'with memory, isolation and labels'],
    ],
    next: '"clobi agent drain AGENT" lets one finish and stop.',
    group: GROUPS.services,
    load: () => import('../commands/agent-list.ts'),
  },
  {
    path: 'agent drain',
    arguments: { '<agents...>': 'names of agents' },
    summary: 'Let agents finish what they run, give back the rest and stop',
    options: [{ flags: '--pool <pool>', help: 'of this pool only: agents of two pools may have one name' }],
    examples: [['agent drain worker-3', 'before its machine is taken away']],
    next: '"clobi agent list" shows when it is gone.',
    group: GROUPS.services,
    load: () => import('../commands/agent-drain.ts'),
  },
];

const TOOL_COMMANDS: readonly CommandEntry[] = [
  {
    path: 'demo clouds',
    summary: 'Run one job over this machine, an emulated AWS and an emulated Azure',
    details:
      'Starts both emulators, a coordinator and three agents, runs examples/three-pools, prints in which pool each task ran and brings the results from all three stores. Nothing leaves this machine, and everything is stopped at the end. The emulators come with the development packages: run it from a clone.',
    options: [
      {
        flags: '--slots <n>',
        help: 'tasks that each agent runs at the same time',
        value: 'count',
        default: 2,
      },
    ],
    examples: [
      ['demo clouds', 'about half a minute'],
      ['demo clouds --slots 4', 'with twice the room'],
    ],
    next: 'Its clobi.yaml, in .clobi/demo-clouds, is what you would write for accounts of your own.',
    group: GROUPS.tools,
    load: () => import('../commands/demo-clouds.ts'),
  },
  {
    path: 'init',
    arguments: { '[file]': 'name of the new file (default: job.yaml)' },
    summary: 'Write a job file with comments to start from',
    examples: [
      ['init', 'writes job.yaml'],
      ['init render.yaml', 'under another name'],
    ],
    next: '"clobi run FILE" runs it on this machine.',
    group: GROUPS.start,
    load: () => import('../commands/init.ts'),
  },
  {
    path: 'doctor',
    summary: 'Check this machine, the coordinator and the agents, and say how to mend what is wrong',
    details:
      'With --live it tries a pool’s queue service and store on your own account: the conformance probes, each in a queue or below a prefix of its own, removed again, also after Ctrl-C.',
    options: [{ flags: '--live <pool>', help: 'try this pool’s queue service and store' }],
    examples: [
      ['doctor', 'everything'],
      ['doctor -o json', 'for programs'],
      ['doctor --live aws', 'a pool of your own account, in queues and objects of its own'],
    ],
    next: 'Each finding names its fix; the exit code is 1 when something is wrong.',
    group: GROUPS.tools,
    load: () => import('../commands/doctor.ts'),
  },
  {
    path: 'schema print',
    arguments: { '[name]': 'which schema (only: job)' },
    summary: 'Print the JSON Schema of job files',
    examples: [['schema print job > job.schema.json', 'for your editor']],
    next: 'Put "# yaml-language-server: $schema=job.schema.json" at the top of a job file.',
    group: GROUPS.tools,
    load: () => import('../commands/schema-print.ts'),
  },
  {
    path: 'completion',
    arguments: { '<shell>': 'bash, zsh or fish' },
    summary: 'Print the completion script for a shell',
    examples: [
      ['completion bash > ~/.local/share/bash-completion/completions/clobi', 'for good, in bash'],
      ['completion zsh > ~/.zfunc/_clobi', 'in zsh, with ~/.zfunc in fpath'],
      ['completion fish > ~/.config/fish/completions/clobi.fish', 'in fish'],
    ],
    next: 'Open a new shell, type "clobi job show " and press Tab: job ids are completed too.',
    group: GROUPS.tools,
    load: () => import('../commands/completion.ts'),
  },
  {
    path: 'version',
    summary: 'Print the version of Clobi and of Node',
    examples: [
      ['version', 'both'],
      ['version -o json', 'for programs'],
    ],
    next: '"clobi coordinator status" shows the version that runs.',
    group: GROUPS.tools,
    load: () => import('../commands/version.ts'),
  },
];

export const REST: readonly CommandEntry[] = [
  ...TASK_COMMANDS,
  ...SERVICE_COMMANDS,
  ...POOL_COMMANDS,
  ...TOOL_COMMANDS,
];
