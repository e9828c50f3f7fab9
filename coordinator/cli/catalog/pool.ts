import { type CommandEntry, GROUPS } from './types.ts';

const POOLS = { '<pools...>': 'names of pools' };
const group = GROUPS.services;

const POOLS_OR_ALL = { '[pools...]': 'pools of clobi.yaml (default: all)' };

export const POOL_COMMANDS: readonly CommandEntry[] = [
  {
    path: 'pool list',
    summary: 'List pools: agents, slots, work in their queues, what was ordered for them',
    examples: [
      ['pool list', 'where tasks can run'],
      ['pool list -o wide', 'with region, price and labels'],
    ],
    next: '"clobi explain JOB" tells which pools suit a job, and in which order.',
    group,
    load: () => import('../commands/pool-list.ts'),
  },
  {
    path: 'pool ensure',
    arguments: POOLS_OR_ALL,
    summary: 'Make or mend the queues, buckets and containers of pools',
    details:
      'Shows first what it would change, and asks. Done twice, the second time finds nothing to do. Queues and stores of this machine need nothing.',
    options: [{ flags: '-y, --yes', help: 'do not ask' }],
    examples: [
      ['pool ensure', 'all pools of clobi.yaml'],
      ['pool ensure aws --yes', 'one, without asking'],
    ],
    next: '"clobi coordinator start", then agents: "clobi agent start --pool POOL".',
    group,
    load: () => import('../commands/pool-ensure.ts'),
  },
  {
    path: 'pool check',
    arguments: POOLS_OR_ALL,
    summary: 'Say what is not as it should be with the queues and stores of pools; changes nothing',
    examples: [
      ['pool check', 'all pools of clobi.yaml'],
      ['pool check aws -o json', 'one, for programs'],
    ],
    next: '"clobi pool ensure" mends what can be mended; the exit code is 1 when jobs cannot run.',
    group,
    load: () => import('../commands/pool-check.ts'),
  },
  {
    path: 'pool pause',
    arguments: POOLS,
    summary: 'Send nothing new to pools; what is there goes on',
    examples: [['pool pause aws', 'until "pool resume aws"']],
    next: '"clobi pool evacuate POOL" also brings back what waits there.',
    group,
    load: () => import('../commands/pool-pause.ts'),
  },
  {
    path: 'pool resume',
    arguments: POOLS,
    summary: 'Let pools take work again, whatever was ordered before',
    examples: [['pool resume aws', 'after pause, drain or evacuate']],
    next: '"clobi pool list" shows its agents and its work.',
    group,
    load: () => import('../commands/pool-resume.ts'),
  },
  {
    path: 'pool drain',
    arguments: POOLS,
    summary: 'Send nothing new to pools, and let their agents finish what they run and leave',
    details: 'Agents that start while the pool is drained leave at once.',
    examples: [['pool drain aws', 'before its machines are taken away']],
    next: '"clobi pool evacuate POOL" brings back what waits in its queue.',
    group,
    load: () => import('../commands/pool-drain.ts'),
  },
  {
    path: 'pool evacuate',
    arguments: POOLS,
    summary: 'Send nothing new to pools, and bring back what waits there',
    details:
      'What has begun goes on there. What has not comes back at once, also from a pool without agents, and is dispatched elsewhere; it is no loss.',
    examples: [['pool evacuate aws', 'its waiting tasks run in other pools']],
    next: '"clobi pool list" shows what is still to come back.',
    group,
    load: () => import('../commands/pool-evacuate.ts'),
  },
  {
    path: 'pool retry',
    arguments: POOLS,
    summary: 'Try pools again at once that could not be reached',
    details:
      'A pool that does not answer is tried again by itself; one that refuses us for want of a right or a quota once a minute.',
    examples: [['pool retry aws', 'after its permissions were mended']],
    next: '"clobi pool list" shows how it fares.',
    group,
    load: () => import('../commands/pool-retry.ts'),
  },
  {
    path: 'pool give-up',
    arguments: POOLS,
    summary: 'Take back all work of pools that cannot be reached',
    details:
      'Tasks that have a loss left run elsewhere; tasks that have none end as lost, since they may have been begun there. Refused for a pool that can be reached: "clobi pool evacuate POOL" loses nothing.',
    examples: [['pool give-up aws', 'the cloud will not come back']],
    next: '"clobi job retry JOB --failed" runs again what was lost.',
    group,
    load: () => import('../commands/pool-give-up.ts'),
  },
];
