/**
 * Which expressions a constraint may be made of: a closed list, walked over what was parsed. CEL has more. What is left out
 * could take unbounded time (macros, `matches`, texts joined to longer texts), depend on where it runs (time zones), or say
 * nothing about a donor or a request (bytes, maps, types).
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { FIELDS, OPTIONAL_FIELDS, type Side } from './constraint-facts.ts';
import { nearestName } from '../nearest-name.ts';

export interface Fault {
  readonly why: string;
  readonly hint: string;
  /** Characters from the beginning of the text. */
  readonly at: number;
}

const FUNCTIONS = ['has', 'size', 'int', 'double', 'string'];
const METHODS = ['startsWith', 'endsWith', 'contains', 'size'];
const MACROS = ['all', 'exists', 'exists_one', 'map', 'filter'];
const INT_MAX = 2n ** 63n - 1n;

/** The first thing that a constraint must not hold, or undefined. */
export function faultOf(node: ASTNode, side: Side): Fault | undefined {
  switch (node.op) {
    case 'value':
      return literalFault(node);
    case 'id':
      return nameFault(node, node.args, side);
    case '.':
      return fieldFault(node, side);
    case 'call':
      return callFault(node, side);
    case 'rcall':
      return methodFault(node, side);
    case '+':
      return isNumber(node.args[0], side) ? firstFault(node.args, side) : fault(node, JOINED);
    case 'list':
    case '?:':
    case '||':
    case '&&':
    case '[]':
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case 'in':
    case '-':
    case '*':
    case '/':
    case '%':
      return firstFault(node.args, side);
    case '!_':
    case '-_':
      return faultOf(node.args, side);
    default:
      return fault(node, {
        why: 'this part of CEL has no use in a constraint',
        hint: 'compare fields with literals, and join the comparisons with && and ||',
      });
  }
}

const JOINED = {
  why: 'texts and lists cannot be joined',
  hint: 'compare the parts one by one: + adds numbers alone',
};

function firstFault(nodes: readonly ASTNode[], side: Side): Fault | undefined {
  for (const node of nodes) {
    const found = faultOf(node, side);
    if (found !== undefined) return found;
  }
  return undefined;
}

function fault(node: ASTNode, { why, hint }: Omit<Fault, 'at'>): Fault {
  return { why, hint, at: node.start };
}

function literalFault(node: ASTNode & { readonly op: 'value' }): Fault | undefined {
  const value = node.args;
  if (typeof value === 'bigint' && value > INT_MAX)
    return fault(node, { why: 'the number is too large', hint: 'an integer has 64 bits in CEL' });
  if (value === null || typeof value === 'object')
    return fault(node, {
      why: 'only texts, numbers, true and false can be written here',
      hint: 'has(FIELD) says whether a field is there; write 8, not 8u',
    });
  return undefined;
}

function nameFault(node: ASTNode, name: string, side: Side): Fault {
  if (name === side)
    return fault(node, {
      why: `${side} stands alone`,
      hint: `name a field of it: ${side}.${someField(side)}`,
    });
  return fault(node, {
    why: `there is no ${name} here`,
    hint: `the only name is ${side}, with its fields: ${side}.${someField(side)}`,
  });
}

function someField(side: Side): string {
  return side === 'donor' ? 'memoryMib' : 'runS';
}

function fieldFault(node: ASTNode & { readonly op: '.' }, side: Side): Fault | undefined {
  const [object, field] = node.args;
  if (object.op !== 'id' || object.args !== side) return faultOf(object, side) ?? noField(node, field, side);
  return Object.hasOwn(FIELDS[side], field) ? undefined : noField(node, field, side);
}

function noField(node: ASTNode, field: string, side: Side): Fault {
  const known = Object.keys(FIELDS[side]);
  const nearest = nearestName(field, known);
  const hint =
    nearest === undefined ? `the fields are ${known.join(', ')}` : `did you mean ${side}.${nearest}?`;
  // Where the field stands, and not what it is of.
  return { why: `${side} has no field ${field}`, hint, at: node.end - field.length };
}

function callFault(node: ASTNode & { readonly op: 'call' }, side: Side): Fault | undefined {
  const [name, args] = node.args;
  if (!FUNCTIONS.includes(name)) return noFunction(node, name, FUNCTIONS);
  return firstFault(args, side);
}

function methodFault(node: ASTNode & { readonly op: 'rcall' }, side: Side): Fault | undefined {
  const [name, receiver, args] = node.args;
  if (!METHODS.includes(name)) return noFunction(node, name, METHODS);
  return faultOf(receiver, side) ?? firstFault(args, side);
}

function noFunction(node: ASTNode, name: string, known: readonly string[]): Fault {
  const why = MACROS.includes(name)
    ? `the macro ${name} is not allowed: its run time has no bound`
    : name === 'matches'
      ? 'matches is not allowed: its run time has no bound'
      : `there is no ${name}() here`;
  const hint = MACROS.includes(name)
    ? 'ask whether a list has something with in: "onnx" in donor.runtimes'
    : `there are ${known.map((each) => `${each}()`).join(', ')}`;
  return fault(node, { why, hint });
}

/** Of a node whose types agree: the left operand of a sum tells what is added. */
function isNumber(node: ASTNode, side: Side): boolean {
  switch (node.op) {
    case 'value':
      return typeof node.args === 'bigint' || typeof node.args === 'number';
    case '.':
      return ['int', 'double'].includes(FIELDS[side][node.args[1]] ?? '');
    case 'call':
      return node.args[0] !== 'string';
    case 'rcall':
      return node.args[0] === 'size';
    case '+':
      return isNumber(node.args[0], side);
    case '?:':
      return isNumber(node.args[1], side);
    case '[]': {
      const [list] = node.args;
      return list.op === 'list' && list.args[0] !== undefined && isNumber(list.args[0], side);
    }
    default:
      return ['-', '*', '/', '%', '-_'].includes(node.op);
  }
}

/**
 * The fields without which the whole cannot be true: read by a conjunct, outside of all that can be decided without them.
 * An expression that fails costs a hundred times one that does not (docs/decisions/0014-…), and many donors lack the same
 * fact.
 */
export function neededFields(node: ASTNode, side: Side): ReadonlySet<string> {
  if (node.op !== '&&') return new Set(fieldsRead(node, side));
  return new Set(node.args.flatMap((conjunct) => [...neededFields(conjunct, side)]));
}

/** The optional fields without which this fails, and has no value. */
function fieldsRead(node: ASTNode, side: Side): string[] {
  switch (node.op) {
    case '.':
      return (OPTIONAL_FIELDS[side] as readonly string[]).includes(node.args[1]) ? [node.args[1]] : [];
    case '?:':
      return fieldsRead(node.args[0], side);
    case '!_':
    case '-_':
      return fieldsRead(node.args, side);
    case 'call':
      return node.args[0] === 'has' ? [] : node.args[1].flatMap((arg) => fieldsRead(arg, side));
    case 'rcall':
      return [node.args[1], ...node.args[2]].flatMap((arg) => fieldsRead(arg, side));
    case 'list':
    case '[]':
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case 'in':
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return node.args.flatMap((arg) => fieldsRead(arg, side));
    default:
      // The other side of && and || may decide without it.
      return [];
  }
}
