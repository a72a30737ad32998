/** What a reader of the tap asks for: read from its line, and held against what the operator switched on. */
import { z } from 'zod';
import type { TapAbility, TapCall } from '../tap.ts';
import { OWN_CALL_MS_MAX } from './limits.ts';

const tapCallSchema = z.object({
  t: z.literal('call'),
  call: z.string().min(1).max(64),
  pile: z.string().min(1),
  to: z.enum(['pile', 'csms']),
  action: z.enum([
    'SetChargingProfile',
    'ClearChargingProfile',
    'DataTransfer',
    'SetDisplayMessage',
    'ClearDisplayMessage',
  ]),
  payload: z.record(z.string(), z.unknown()),
  withinMs: z.number().positive().max(OWN_CALL_MS_MAX),
});

/** Undefined where it is no call. */
export function parseTapCall(line: string): TapCall | undefined {
  try {
    return tapCallSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** Which of the abilities a call needs; undefined where none gives it. */
export function abilityFor({ action, to }: TapCall): TapAbility | undefined {
  if (to === 'csms') return action === 'DataTransfer' ? 'credit' : undefined;
  return action === 'SetChargingProfile' || action === 'ClearChargingProfile' ? 'cap' : 'text';
}
