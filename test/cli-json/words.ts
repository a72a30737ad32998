/** What several documents of `plugpool --json` are made of. */
import { z } from 'zod';

export const count = z.int().min(0);
export const wallMs = z.number().positive();
export const id = z.string().min(1);
export const millis = z.int().min(0).max(1000);
export const hash = z.string().regex(/^[0-9a-f]{64}$/);
const gpu = z.strictObject({
  deviceId: z.string(),
  model: z.string(),
  shareMillis: z.int(),
  vramMib: z.int(),
});
export const capacity = z.strictObject({ cpuMillicores: z.int(), memoryMib: z.int(), gpus: z.array(gpu) });
export const sessionState = z.enum(
  'unknown plugged charging suspendedEV suspendedEVSE finishing unplugged faulted'.split(' '),
);
export const taskState = z.enum(['queued', 'running', 'completed', 'failed', 'expired', 'cancelled', 'dead']);
export const phase = z.enum(['absent', 'announced', 'eligible', 'draining', 'gone']);
export const ineligible = z.enum([
  'not_connected',
  'not_plugged',
  'session_unverified',
  'session_not_lending',
  'identity_too_weak',
  'identity_disputed',
  'policy_not_lending',
  'capacity_stale',
  'overdrawn',
  'ready_by',
  'settling',
  'draining',
  'agent_stopping',
]);
export const credentialKind = z.enum(['idToken', 'evccid', 'vin', 'emaid']);
export const assurance = z.enum([
  'claimed',
  'presence',
  'mac',
  'vin',
  'code',
  'token',
  'operator',
  'certificate',
]);
export const poolName = z.enum(['cpu', 'gpu', 'memory']);
export const draining = z.strictObject({ all: z.boolean(), vehicles: z.array(id), running: count });
