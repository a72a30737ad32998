/** What a register map says: which register holds what, which values mean which state, and how a cap is written and expires. */
import { z } from 'zod';

/** Words a value takes, where its type alone does not say. */
const TEXT_WORDS_MAX = 32;
const NAME = /^[a-z][A-Za-z0-9]{0,31}$/;

/** Registers with these names are told; any other serves the rules of `state` alone. */
export const TOLD_REGISTERS = ['power', 'energy', 'soc', 'idToken', 'evccid'] as const;
export type ToldRegister = (typeof TOLD_REGISTERS)[number];

/** What one of a unit is in the units of the port. */
export const UNITS = {
  mW: 1,
  W: 1_000,
  kW: 1_000_000,
  mWh: 1,
  Wh: 1_000,
  kWh: 1_000_000,
  '%': 10,
  '‰': 1,
} as const;
const UNITS_OF: Readonly<Record<string, readonly string[]>> = {
  power: ['mW', 'W', 'kW'],
  energy: ['mWh', 'Wh', 'kWh'],
  soc: ['%', '‰'],
};

const address = z.int().min(0).max(65_535);
const range = z
  .tuple([z.number(), z.number()])
  .refine(([low, high]) => low <= high, 'must be [lowest, highest]');

const registerSchema = z
  .strictObject({
    address,
    table: z.enum(['holding', 'input']).default('holding'),
    type: z.enum(['u16', 'i16', 'u32', 'i32', 'u64', 'ascii', 'hex']),
    words: z.int().min(1).max(TEXT_WORDS_MAX).optional(),
    wordOrder: z.enum(['bigFirst', 'littleFirst']).default('bigFirst'),
    scale: z.number().positive().default(1),
    unit: z.enum(Object.keys(UNITS) as (keyof typeof UNITS)[]).optional(),
    range: range.optional(),
    none: z.array(z.union([z.number(), z.string()])).default([]),
    optional: z.boolean().default(false),
    lastSeen: z.boolean().default(false),
  })
  .refine(({ type, words }) => (type === 'ascii' || type === 'hex') === (words !== undefined), {
    message: 'must say words for ascii and hex, and for these alone',
  });

const conditionSchema = z.union([
  z.array(z.union([z.number(), z.string()])).min(1),
  z
    .strictObject({ atLeast: z.number().optional(), below: z.number().optional() })
    .refine(
      ({ atLeast, below }) => atLeast !== undefined || below !== undefined,
      'must say atLeast or below',
    ),
]);

const ruleSchema = z.strictObject({
  when: z
    .record(z.string().regex(NAME), conditionSchema)
    .refine((when) => Object.keys(when).length > 0, 'must name a register'),
  is: z.enum(['unplugged', 'plugged', 'charging', 'suspendedEV', 'suspendedEVSE', 'finishing', 'faulted']),
});

const writtenSchema = z.strictObject({
  address,
  readAt: z.strictObject({ address, type: z.enum(['u16', 'u32']).default('u16') }).optional(),
  unit: z.enum(['A', '0.1A', 'mA', 's']),
});

const capSchema = z
  .strictObject({
    writes: z.enum(['single', 'multiple']).default('multiple'),
    limit: writtenSchema,
    atLeastA: z.number().min(6).max(63).default(6),
    watchdog: z.strictObject({
      seconds: writtenSchema,
      atLeastS: z.int().min(1).max(3_600),
      atMostS: z.int().min(1).max(65_534),
      off: z.array(z.int().min(0).max(65_535)).min(1),
      fallback: writtenSchema,
    }),
  })
  .refine(({ limit, watchdog }) => limit.unit !== 's' && watchdog.fallback.unit !== 's', {
    message: 'must give limit and fallback in A, 0.1A or mA',
  });

export const registerMapSchema = z
  .strictObject({
    name: z.string().min(1).max(80),
    sources: z.array(z.string().min(1).max(300)).min(1),
    unit: z.int().min(0).max(255).default(1),
    connectorStep: z.int().min(0).max(10_000).default(0),
    readTogether: z.int().min(1).max(125).default(1),
    registers: z
      .record(z.string().regex(NAME, 'must begin with a small letter; letters and digits'), registerSchema)
      .refine(
        (all) => Object.keys(all).length >= 1 && Object.keys(all).length <= 64,
        'must name 1 to 64 registers',
      ),
    state: z.array(ruleSchema).min(1).max(64),
    cap: capSchema.optional(),
  })
  .superRefine((map, context) => {
    for (const [index, { when }] of map.state.entries()) {
      for (const name of Object.keys(when).filter((name) => !Object.hasOwn(map.registers, name))) {
        context.addIssue({
          code: 'custom',
          path: ['state', index, 'when', name],
          message: 'names a register that the map does not have',
        });
      }
    }
    for (const [name, units] of Object.entries(UNITS_OF)) {
      const register = Object.hasOwn(map.registers, name) ? map.registers[name] : undefined;
      if (register === undefined || (register.unit !== undefined && units.includes(register.unit))) continue;
      context.addIssue({
        code: 'custom',
        path: ['registers', name, 'unit'],
        message: `must be one of ${units.join(', ')}`,
      });
    }
  });

export type RegisterMap = z.output<typeof registerMapSchema>;
export type Register = RegisterMap['registers'][string];
export type StateRule = RegisterMap['state'][number];
export type ReportedState = StateRule['is'];
export type CapForm = NonNullable<RegisterMap['cap']>;
export type WrittenRegister = CapForm['limit'];

const WORDS_OF: Readonly<Record<string, number>> = { u16: 1, i16: 1, u32: 2, i32: 2, u64: 4 };

/** How many registers a value takes. */
export function wordsOf({ type, words }: Pick<Register, 'type' | 'words'>): number {
  return words ?? WORDS_OF[type] ?? 1;
}
