/** Ways to leave to a hostile vehicle what all share, or what is another's. */
import type { Mutation } from './mutations.ts';

const SHARES = ['--test', 'test/unit/core-shares.test.ts'] as const;
const PULLS = ['--test', 'test/unit/core-may-pull.test.ts'] as const;
const ROOM = ['--test', 'test/unit/disk-room.test.ts'] as const;
const BATCHES = ['--test', 'test/unit/fair-batch.test.ts'] as const;

export const HOSTILE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'let whoever comes first take all that is left',
    promise: 'a few vehicles cannot take what all share',
    file: 'agent/core/clients/share.ts',
    find: '  return TIMES[use] * (own + more) <= left;',
    replace: '  return more <= left;',
    proof: SHARES,
  },
  {
    name: 'keep nothing for who is plugged in',
    promise: 'made-up vehicles, however many, leave a quarter to those that are plugged in',
    file: 'agent/core/clients/share.ts',
    find: "(isResident(state, vehicleId) ? max : shareOf('stranger', max))",
    replace: 'max',
    proof: SHARES,
  },
  {
    name: 'hand bytes to whoever names their digest',
    promise: 'who only heard of a digest is handed nothing',
    file: 'agent/core/payloads/may-pull.ts',
    find: '  return false;\n',
    replace: '  return true;\n',
    proof: PULLS,
  },
  {
    name: 'let go of what is owed',
    promise: 'where there is no room, only what nobody is owed gives way',
    file: 'agent/blobs/disk-room.ts',
    find: 'await blobs.spare(owed, youngMs)',
    replace: 'await blobs.spare(new Set(), youngMs)',
    proof: ['--test', '--test-name-pattern=what is owed goes for nobody', 'test/unit/disk-room.test.ts'],
  },
  {
    name: 'believe what an event says of bytes, however long it waited',
    promise: 'what is accepted has its bytes, however long the disk takes',
    file: 'agent/blobs/held-bytes.ts',
    find: 'return { ...event, blobHeld: false };',
    replace: 'return event;',
    proof: ['--test', 'test/unit/held-bytes.test.ts'],
  },
  {
    name: 'let go of payloads that nobody acknowledged',
    promise: 'a disk that is short takes from the store only what was acknowledged',
    file: 'agent/adapters/store-sqlite/acknowledged-bytes.ts',
    find: 'WHERE delivered = 1 ORDER BY task_bytes',
    replace: 'WHERE 1 ORDER BY task_bytes',
    proof: ['--test', 'test/unit/store-acknowledged-bytes.test.ts'],
  },
  {
    name: 'let an announcement push out what others have',
    promise: 'who sends nothing pushes out nothing',
    file: 'agent/blobs/blob-shares.ts',
    find: '    return spare.countedBytes;\n',
    replace:
      '    for (let next = spare.take(); next; next = spare.take()) await room.letGo(next);\n    return 0;\n',
    proof: ROOM,
  },
  {
    name: 'let strangers push out what residents have',
    promise: 'what strangers leave goes before what a resident has',
    file: 'agent/blobs/spare-blobs.ts',
    find: 'holder !== undefined && isResident(holder)',
    replace: 'holder !== undefined && !isResident(holder)',
    proof: ROOM,
  },
  {
    name: 'let the loudest fill a step',
    promise: 'nobody waits behind what another vehicle says',
    file: 'agent/fair-batch.ts',
    find: 'const quota = quotas.get(lane) ?? 0;',
    replace: 'const quota = max - batch.taken.length;',
    proof: BATCHES,
  },
  {
    name: 'pull checkpoints without end',
    promise: 'a lease cannot have the pile pull checkpoints without end',
    file: 'agent/core/leases/checkpoints.ts',
    find: '  lease.checkpointBudget = verdict.budget;\n',
    replace: '',
    proof: ['--test', 'test/unit/core-hostile-checkpoints.test.ts'],
  },
];
