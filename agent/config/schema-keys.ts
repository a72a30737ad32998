/** Walks the schema: which keys there are, at the top and within each section. */
import { z } from 'zod';
import { configSchema } from './schema.ts';

export interface SchemaKey {
  /** `policy.lease`; list entries as `firmware[replay].speed`. */
  readonly path: string;
  readonly description: string;
  /** A section has keys of its own. */
  readonly isSection: boolean;
  /** As YAML would have it; undefined where there is none. */
  readonly defaultValue: unknown;
}

type Schema = z.core.$ZodType;

/** The keys that may stand at a path of the configuration. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  let at: Schema | undefined = configSchema;
  for (const part of path) at = at === undefined ? undefined : childOf(at, part);
  return at === undefined ? [] : Object.keys(shapeOf(at));
}

export function schemaKeys(): SchemaKey[] {
  return keysOf(configSchema, '');
}

/** The keys outside lists: those that an environment variable can set; a list is set whole. */
export function settablePaths(): string[] {
  return schemaKeys()
    .filter(({ path, isSection }) => !isSection && !path.includes('['))
    .map(({ path }) => path);
}

function keysOf(schema: Schema, prefix: string): SchemaKey[] {
  return Object.entries(shapeOf(schema)).flatMap(([name, child]) => {
    const path = prefix + name;
    const inner = bare(child);
    const isSection = inner instanceof z.ZodObject;
    const key = { path, description: descriptionOf(child), isSection, defaultValue: defaultOf(child) };
    if (isSection) return [key, ...keysOf(inner, `${path}.`)];
    return [key, ...entryKeys(inner, path)];
  });
}

function entryKeys(schema: Schema, path: string): SchemaKey[] {
  if (!(schema instanceof z.ZodArray)) return [];
  const entry = bare(schema.element);
  if (entry instanceof z.ZodObject) return keysOf(entry, `${path}[].`);
  if (!(entry instanceof z.ZodDiscriminatedUnion)) return [];
  return entry.options.flatMap((option) => keysOf(option, `${path}[${kindOf(option)}].`));
}

function kindOf(option: Schema): string {
  const kind = shapeOf(option)['kind'];
  return kind instanceof z.ZodLiteral ? String(kind.value) : '?';
}

/** Of an entry of a list of unions: every option's keys. */
function shapeOf(schema: Schema): Readonly<Record<string, Schema>> {
  const inner = bare(schema);
  if (inner instanceof z.ZodObject) return inner.shape;
  if (!(inner instanceof z.ZodDiscriminatedUnion)) return {};
  return Object.assign({}, ...inner.options.map(shapeOf)) as Readonly<Record<string, Schema>>;
}

function childOf(schema: Schema, part: PropertyKey): Schema | undefined {
  const inner = bare(schema);
  return inner instanceof z.ZodArray ? inner.element : shapeOf(inner)[String(part)];
}

/** Without its default and its optionality. */
function bare(schema: Schema): Schema {
  let at = schema;
  while (at instanceof z.ZodDefault || at instanceof z.ZodPrefault || at instanceof z.ZodOptional)
    at = at.unwrap();
  return at;
}

function descriptionOf(schema: Schema): string {
  return schema instanceof z.ZodType ? (schema.description ?? '') : '';
}

function defaultOf(schema: Schema): unknown {
  if (!(schema instanceof z.ZodDefault)) return undefined;
  return schema.parse(undefined);
}
