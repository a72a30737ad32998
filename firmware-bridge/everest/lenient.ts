/** Reads an object by its schema and leaves out the optional fields that break it: one bad field costs itself alone. */
import type { z } from 'zod';

/** Without the value: it may name somebody. `why` is a code of zod's. */
export interface BrokenField {
  readonly field: string;
  readonly why: string;
}

/** Undefined where what is required is missing or broken; what was left out or refused is added to `problems`. */
export function readLeniently<Schema extends z.ZodType>(
  schema: Schema,
  json: unknown,
  problems: BrokenField[],
): z.output<Schema> | undefined {
  const read = schema.safeParse(json);
  if (read.success) return read.data;
  problems.push(...read.error.issues.map(({ path, code }) => ({ field: path.join('.'), why: code })));
  const kept = withoutBroken(json, read.error.issues);
  return kept === undefined ? undefined : schema.safeParse(kept).data;
}

/** The object without the fields that issues name; a required one is missed when it is read again. */
function withoutBroken(json: unknown, issues: readonly z.core.$ZodIssue[]): object | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const broken = new Set(issues.map(({ path: [first] }) => first));
  if (broken.has(undefined)) return undefined;
  return Object.fromEntries(Object.entries(json).filter(([name]) => !broken.has(name)));
}
