/**
 * Describes a .proto file as plain data, and compares two such descriptions: what a client built against the older one
 * would misread in the newer one.
 */
import protobuf from 'protobufjs';

export type FieldLabel = 'singular' | 'optional' | 'repeated';

export interface FieldDescription {
  readonly id: number;
  readonly name: string;
  /** A scalar of protobuf, or the name of a message or enum below, relative to the package. */
  readonly type: string;
  readonly label: FieldLabel;
  readonly oneof?: string;
}

export interface MessageDescription {
  readonly fields: readonly FieldDescription[];
  /** Numbers (as ranges, both ends included) and names that must not be used again. */
  readonly reserved: readonly (readonly [number, number] | string)[];
}

export interface EnumDescription {
  readonly values: Readonly<Record<string, number>>;
  readonly reserved: readonly (readonly [number, number] | string)[];
}

export interface SchemaDescription {
  readonly package: string;
  readonly messages: Readonly<Record<string, MessageDescription>>;
  readonly enums: Readonly<Record<string, EnumDescription>>;
}

export function describeSchema(protoSource: string): SchemaDescription {
  const { root, package: packageName } = protobuf.parse(protoSource, { keepCase: true });
  if (!packageName) throw new Error('the .proto file names no package');
  root.resolveAll();
  const messages: Record<string, MessageDescription> = {};
  const enums: Record<string, EnumDescription> = {};
  collect(root.lookup(packageName) as protobuf.Namespace, `.${packageName}.`, messages, enums);
  return { package: packageName, messages, enums };
}

function collect(
  namespace: protobuf.NamespaceBase,
  prefix: string,
  messages: Record<string, MessageDescription>,
  enums: Record<string, EnumDescription>,
): void {
  for (const child of namespace.nestedArray) {
    const name = child.fullName.slice(prefix.length);
    if (child instanceof protobuf.Type) {
      messages[name] = describeMessage(child, prefix);
      collect(child, prefix, messages, enums);
    } else if (child instanceof protobuf.Enum) {
      enums[name] = { values: { ...child.values }, reserved: describeReserved(child.reserved) };
    }
  }
}

function describeMessage(type: protobuf.Type, prefix: string): MessageDescription {
  const fields = type.fieldsArray.map((field) => describeField(field, prefix));
  fields.sort((a, b) => a.id - b.id);
  return { fields, reserved: describeReserved(type.reserved) };
}

function describeField(field: protobuf.Field, prefix: string): FieldDescription {
  if (field.map) throw new Error(`${field.fullName}: map fields are not used here; write a repeated message`);
  const optional = (field.options?.['proto3_optional'] as boolean | undefined) === true;
  const base = {
    id: field.id,
    name: field.name,
    type: field.resolvedType === null ? field.type : field.resolvedType.fullName.slice(prefix.length),
  };
  if (optional) return { ...base, label: 'optional' };
  const label = field.repeated ? 'repeated' : 'singular';
  return field.partOf === null ? { ...base, label } : { ...base, label, oneof: field.partOf.name };
}

function describeReserved(
  reserved: readonly (number[] | string)[] | undefined,
): readonly (readonly [number, number] | string)[] {
  return (reserved ?? []).map((entry) => {
    if (typeof entry === 'string') return entry;
    const [from = 0, to = from] = entry;
    return [from, to];
  });
}

/** One sentence for each thing that a client of `before` would misread in `after`; none: compatible. */
export function findIncompatibilities(before: SchemaDescription, after: SchemaDescription): string[] {
  const found: string[] = [];
  if (before.package !== after.package) {
    found.push(`the package ${before.package} became ${after.package}`);
  }
  for (const [name, old] of Object.entries(before.messages)) {
    const now = after.messages[name];
    if (now === undefined) found.push(`message ${name} was removed`);
    else found.push(...compareMessage(name, old, now));
  }
  for (const [name, old] of Object.entries(before.enums)) {
    const now = after.enums[name];
    if (now === undefined) found.push(`enum ${name} was removed`);
    else found.push(...compareEnum(name, old, now));
  }
  return found;
}

function compareMessage(name: string, before: MessageDescription, after: MessageDescription): string[] {
  const found: string[] = [];
  for (const old of before.fields) {
    const where = `${name}.${old.name} (field ${old.id})`;
    const now = after.fields.find((field) => field.id === old.id);
    if (now === undefined) {
      if (!isNumberReserved(after, old.id)) found.push(`${where} was removed: reserve the number ${old.id}`);
      if (!after.reserved.includes(old.name))
        found.push(`${where} was removed: reserve the name "${old.name}"`);
      continue;
    }
    if (now.name !== old.name) found.push(`${where} is now called ${now.name}`);
    if (now.type !== old.type) found.push(`${where} was ${old.type} and is now ${now.type}`);
    if (now.label !== old.label) found.push(`${where} was ${old.label} and is now ${now.label}`);
    if (now.oneof !== old.oneof) {
      found.push(`${where} moved from oneof ${old.oneof ?? '(none)'} to ${now.oneof ?? '(none)'}`);
    }
  }
  for (const range of before.reserved) {
    if (!isStillReserved(after, range)) found.push(`${name} no longer reserves ${JSON.stringify(range)}`);
  }
  return found;
}

function compareEnum(name: string, before: EnumDescription, after: EnumDescription): string[] {
  const found: string[] = [];
  const namesNow = new Map(Object.entries(after.values).map(([valueName, value]) => [value, valueName]));
  for (const [valueName, value] of Object.entries(before.values)) {
    const now = namesNow.get(value);
    if (now === valueName) continue;
    if (now !== undefined) found.push(`${name} ${value} was ${valueName} and is now ${now}`);
    else if (!isNumberReserved(after, value)) {
      found.push(`${name}.${valueName} was removed: reserve the number ${value}`);
    }
  }
  return found;
}

function isNumberReserved(within: Pick<MessageDescription, 'reserved'>, number: number): boolean {
  return within.reserved.some(
    (entry) => typeof entry !== 'string' && number >= entry[0] && number <= entry[1],
  );
}

function isStillReserved(after: MessageDescription, entry: MessageDescription['reserved'][number]): boolean {
  if (typeof entry === 'string') return after.reserved.includes(entry);
  return isNumberReserved(after, entry[0]) && isNumberReserved(after, entry[1]);
}
