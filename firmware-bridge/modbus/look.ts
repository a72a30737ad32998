/** One look at a connector: every register of the map is read, and what they hold is brought to a reading. */
import type { Pseudonymize } from '../port.ts';
import { ModbusFailure } from './modbus-link.ts';
import type { RegisterAccess } from './modbus-link.ts';
import type { Reading, ReadCredential } from './modbus-story.ts';
import type { ReadRequest } from './read-plan.ts';
import { UNITS } from './register-map.ts';
import type { Register, RegisterMap } from './register-map.ts';
import { readValue, wordsAt } from './register-value.ts';
import type { Value } from './register-value.ts';
import { stateOf } from './state-rule.ts';

/** Where a connector's registers are. */
export interface Place {
  readonly unit: number;
  /** Added to every address of the map. */
  readonly shift: number;
}

export interface LookAround {
  readonly map: RegisterMap;
  readonly requests: readonly ReadRequest[];
  readonly pseudonymize: Pseudonymize;
  /** Optional registers that the device refused are not asked for again for a while. */
  readonly isRefused: (request: ReadRequest) => boolean;
  readonly refuse: (request: ReadRequest) => void;
  /** A value that the map says cannot be true: it is left out. */
  readonly doubt: (name: string, value: Value) => void;
}

/** Illegal function, address or value: the device does not have it, and will not have it in a moment. */
const REFUSALS: readonly (number | undefined)[] = [1, 2, 3];
/** An EVCCID is the MAC address of the vehicle's communication controller. */
const MAC_PATTERN = /^(?!0+$)[0-9A-F]{12}$/;

/** Rejects with a `ModbusFailure`; also where no rule of the map knows what the registers say. */
export async function look(access: RegisterAccess, place: Place, around: LookAround): Promise<Reading> {
  const values = await readValues(access, place, around);
  const { registers, state: rules } = around.map;
  const state = stateOf(rules, values);
  if (state === undefined) throw new ModbusFailure('no_answer', unknownState(around.map, values));
  return {
    state,
    powerMw: amountOf('power', registers, values),
    energyMwh: amountOf('energy', registers, values),
    socPermille: amountOf('soc', registers, values),
    credentials: credentialsOf(registers, values, around.pseudonymize),
  };
}

async function readValues(
  access: RegisterAccess,
  { unit, shift }: Place,
  around: LookAround,
): Promise<ReadonlyMap<string, Value>> {
  const values = new Map<string, Value>();
  for (const request of around.requests) {
    if (around.isRefused(request)) continue;
    const block = await readBlock(access, unit, shift, request, around);
    if (block === undefined) continue;
    for (const { name, register } of request.holds) {
      const read = readValue(register, wordsAt(register, block, request.address));
      if (read.kind === 'value') values.set(name, read.value);
      else if (read.kind === 'outOfRange') around.doubt(name, read.value);
    }
  }
  return values;
}

async function readBlock(
  access: RegisterAccess,
  unit: number,
  shift: number,
  request: ReadRequest,
  around: LookAround,
): Promise<Uint16Array | undefined> {
  try {
    return await access.read(unit, request.table, request.address + shift, request.words);
  } catch (error) {
    const isRefusal = error instanceof ModbusFailure && REFUSALS.includes(error.exception);
    if (!isRefusal || !request.holds.every(({ register }) => register.optional)) throw error;
    around.refuse(request);
    return undefined;
  }
}

function unknownState({ state }: RegisterMap, values: ReadonlyMap<string, Value>): string {
  const names = [...new Set(state.flatMap(({ when }) => Object.keys(when)))];
  const shown = names.map((name) => `${name} ${JSON.stringify(values.get(name) ?? 'none')}`);
  return `no rule of the register map knows ${shown.join(', ')}`;
}

type Registers = Readonly<Record<string, Register>>;

function amountOf(
  name: 'power' | 'energy' | 'soc',
  registers: Registers,
  values: ReadonlyMap<string, Value>,
): number | undefined {
  const value = values.get(name);
  const unit = registers[name]?.unit;
  return typeof value === 'number' && unit !== undefined ? Math.round(value * UNITS[unit]) : undefined;
}

function credentialsOf(
  registers: Registers,
  values: ReadonlyMap<string, Value>,
  pseudonymize: Pseudonymize,
): readonly ReadCredential[] {
  return (['idToken', 'evccid'] as const).flatMap((kind) => {
    const text = values.get(kind);
    const shown = kind === 'evccid' && typeof text === 'string' ? macOf(text) : text;
    if (typeof shown !== 'string' || shown === '') return [];
    return [{ kind, pseudonym: pseudonymize(kind, shown), lastSeen: registers[kind]?.lastSeen === true }];
  });
}

function macOf(text: string): string | undefined {
  const digits = text.replace(/[:-]/g, '').toUpperCase();
  return MAC_PATTERN.test(digits) ? digits : undefined;
}
