/** Which requests read the registers of a map: as few as its device lets be read together. */
import { wordsOf } from './register-map.ts';
import type { Register, RegisterMap } from './register-map.ts';

export interface NamedRegister {
  readonly name: string;
  readonly register: Register;
}

export interface ReadRequest {
  readonly table: 'holding' | 'input';
  /** Before the connector's step is added. */
  readonly address: number;
  readonly words: number;
  readonly holds: readonly NamedRegister[];
}

/** An optional register is read alone: a device that does not have it refuses the whole request. */
export function planReads({ registers, readTogether }: RegisterMap): readonly ReadRequest[] {
  const inOrder = Object.entries(registers)
    .map(([name, register]) => ({ name, register }))
    .sort(
      (a, b) => a.register.table.localeCompare(b.register.table) || a.register.address - b.register.address,
    );
  const requests: ReadRequest[] = [];
  for (const one of inOrder) {
    const last = requests.at(-1);
    const joined = last === undefined ? undefined : join(last, one, readTogether);
    if (joined === undefined) requests.push(alone(one));
    else requests[requests.length - 1] = joined;
  }
  return requests;
}

function alone(one: NamedRegister): ReadRequest {
  const { table, address } = one.register;
  return { table, address, words: wordsOf(one.register), holds: [one] };
}

function join(request: ReadRequest, one: NamedRegister, wordsMax: number): ReadRequest | undefined {
  const end = one.register.address + wordsOf(one.register);
  const words = Math.max(request.words, end - request.address);
  const isOptional = one.register.optional || request.holds.some(({ register }) => register.optional);
  if (isOptional || request.table !== one.register.table || words > wordsMax) return undefined;
  return { ...request, words, holds: [...request.holds, one] };
}
