/**
 * What a constraint can speak of: the facts of a donor, which a requester's constraint reads, and of a request, which an
 * owner's reads. Their names are a contract (docs/constraints.md); a fact that is not known is missing, never a guess.
 */

export type Side = 'donor' | 'request';
export type FactType = 'string' | 'int' | 'double' | 'list<string>';

/** CEL's integers are 64 bits wide, so they travel as bigint; its doubles are numbers. */
type FactValue<T extends FactType> = T extends 'string'
  ? string
  : T extends 'int'
    ? bigint
    : T extends 'double'
      ? number
      : readonly string[];

type Values<Fields extends Readonly<Record<string, FactType>>> = {
  readonly [Name in keyof Fields]: FactValue<Fields[Name]>;
};

export const DONOR_FIELDS = {
  make: 'string',
  fleet: 'string',
  cores: 'int',
  cpuMillicores: 'int',
  memoryMib: 'int',
  speed: 'double',
  cpuModel: 'string',
  platform: 'string',
  runtimes: 'list<string>',
  gpus: 'int',
  gpuModels: 'list<string>',
  vramMib: 'int',
  socPermille: 'int',
  state: 'string',
  connector: 'string',
} as const satisfies Readonly<Record<string, FactType>>;

export const REQUEST_FIELDS = {
  type: 'string',
  algorithm: 'string',
  version: 'string',
  requester: 'string',
  fleet: 'string',
  payer: 'string',
  latencyMs: 'int',
  instances: 'int',
  cpuMillicores: 'int',
  memoryMib: 'int',
  gpuMillis: 'int',
  vramMib: 'int',
  runS: 'int',
  deadlineS: 'int',
  class: 'string',
  priority: 'int',
} as const satisfies Readonly<Record<string, FactType>>;

export const FIELDS: Readonly<Record<Side, Readonly<Record<string, FactType>>>> = {
  donor: DONOR_FIELDS,
  request: REQUEST_FIELDS,
};

/** Those that can be missing; every other fact is always there. */
export const OPTIONAL_FIELDS = {
  donor: ['socPermille'],
  request: ['latencyMs'],
} as const satisfies Readonly<Record<Side, readonly string[]>>;

type DonorValues = Omit<Values<typeof DONOR_FIELDS>, 'socPermille'> & { readonly socPermille?: bigint };
type RequestValues = Omit<Values<typeof REQUEST_FIELDS>, 'latencyMs'> & { readonly latencyMs?: bigint };

/** A class, since the evaluator knows the type of a value by its constructor. */
export class DonorFacts {
  readonly over = 'donor';
  constructor(values: DonorValues) {
    Object.assign(this, values);
  }
}

export class RequestFacts {
  readonly over = 'request';
  constructor(values: RequestValues) {
    Object.assign(this, values);
  }
}

export type Facts = DonorFacts | RequestFacts;
