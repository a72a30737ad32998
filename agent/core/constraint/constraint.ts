/**
 * Two-sided constraints in CEL: the requester's over `donor`, the owner's over `request`. Compiled once; only `true` is a
 * match, so that what is missing or fails is none. Neither parsing nor one evaluation can take long, whoever wrote it.
 */
import { Environment, ParseError, TypeError as CelTypeError } from '@marcbachmann/cel-js';
import { faultOf, neededFields, type Fault } from './constraint-check.ts';
import {
  DONOR_FIELDS,
  DonorFacts,
  REQUEST_FIELDS,
  RequestFacts,
  type Facts,
  type Side,
} from './constraint-facts.ts';
import {
  CONSTRAINT_DEPTH_MAX,
  CONSTRAINT_NODES_MAX,
  CONSTRAINT_TEXT_BYTES_MAX,
  CONSTRAINTS_MAX,
} from '../limits.ts';

export interface Constraint {
  readonly text: string;
  readonly over: Side;
  /** Without one of these it is no match, whatever else holds. */
  readonly needs: ReadonlySet<string>;
  readonly evaluate: (context: Readonly<Record<string, Facts>>) => unknown;
}

export type Compiled =
  | { readonly ok: true; readonly constraint: Constraint }
  | { readonly ok: false; readonly why: string; readonly hint: string };

const LIMITS = {
  maxAstNodes: CONSTRAINT_NODES_MAX,
  maxDepth: CONSTRAINT_DEPTH_MAX,
  maxListElements: CONSTRAINT_NODES_MAX,
  maxCallArguments: 4,
};

const ENVIRONMENTS: Readonly<Record<Side, Environment>> = {
  donor: new Environment({ limits: LIMITS })
    .registerType('Donor', { ctor: DonorFacts, fields: DONOR_FIELDS })
    .registerVariable('donor', 'Donor'),
  request: new Environment({ limits: LIMITS })
    .registerType('Request', { ctor: RequestFacts, fields: REQUEST_FIELDS })
    .registerVariable('request', 'Request'),
};

export function compileConstraint(text: string, over: Side): Compiled {
  const bytes = utf8Bytes(text);
  if (bytes > CONSTRAINT_TEXT_BYTES_MAX)
    return refused({
      why: `it has ${bytes} bytes, at most ${CONSTRAINT_TEXT_BYTES_MAX} are allowed`,
      hint: 'write it shorter',
    });
  try {
    const program = ENVIRONMENTS[over].parse(text);
    const fault = faultOf(program.ast, over);
    if (fault !== undefined) return refused(fault);
    const { valid, type, error } = program.check();
    if (!valid) return refused(faultOfError(error, over));
    if (type !== 'bool')
      return refused({
        why: `it is of type ${type ?? 'unknown'}, not true or false`,
        hint: 'compare it: == < > in',
      });
    const constraint = { text, over, needs: neededFields(program.ast, over), evaluate: program };
    return { ok: true, constraint };
  } catch (error) {
    // Whatever a stranger wrote: what the parser cannot take (its stack among it) is refused and not our fault.
    return refused(faultOfError(error, over));
  }
}

/** Only `true` is: an error, a missing field or another value is not. */
export function isMatch(constraint: Constraint, facts: Facts): boolean {
  for (const field of constraint.needs) if (!(field in facts)) return false;
  try {
    return constraint.evaluate({ [constraint.over]: facts }) === true;
  } catch {
    return false;
  }
}

function refused({ why, hint, at }: Omit<Fault, 'at'> & { readonly at?: number }): Compiled {
  return { ok: false, why: at === undefined ? why : `at character ${at + 1}: ${why}`, hint };
}

function faultOfError(error: unknown, over: Side): Omit<Fault, 'at'> & { at?: number } {
  const example = `write it as ${over === 'donor' ? 'donor.memoryMib >= 4096' : 'request.runS < 600'}`;
  if (!(error instanceof ParseError || error instanceof CelTypeError))
    return { why: 'it cannot be read', hint: example };
  const at = error.range === undefined ? {} : { at: error.range.start };
  if (error.code === 'limit_exceeded')
    return {
      ...at,
      why: `it is too large: at most ${CONSTRAINT_NODES_MAX} parts, ${CONSTRAINT_DEPTH_MAX} within each other`,
      hint: 'write fewer comparisons; x in [a, b] is shorter than x == a || x == b',
    };
  const hint =
    error.code === 'no_such_overload'
      ? 'both sides must be of one type; a number with a fraction is compared with 1.0, not with 1'
      : example;
  const why = error.summary.endsWith('EOF') ? 'it ends too soon' : error.summary;
  return { ...at, why, hint };
}

/** Without a TextEncoder, which would copy the text. */
function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

/** Constraints that were compiled, those refused among them; the one that was not asked for longest is forgotten. */
export class Constraints {
  readonly #compiled = new Map<string, Compiled>();
  readonly #countMax: number;

  constructor(countMax: number = CONSTRAINTS_MAX) {
    this.#countMax = countMax;
  }

  get size(): number {
    return this.#compiled.size;
  }

  compile(text: string, over: Side): Compiled {
    const key = `${over} ${text}`;
    const known = this.#compiled.get(key);
    const compiled = known ?? compileConstraint(text, over);
    if (known !== undefined) this.#compiled.delete(key);
    else if (this.#compiled.size >= this.#countMax) this.#forgetOldest();
    this.#compiled.set(key, compiled);
    return compiled;
  }

  #forgetOldest(): void {
    for (const key of this.#compiled.keys()) {
      this.#compiled.delete(key);
      return;
    }
  }
}
