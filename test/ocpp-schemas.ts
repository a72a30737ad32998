/** Whether a payload keeps the published schema of its OCPP version; the schemas are those that `ocpp-rpc` carries. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv, type AnySchemaObject } from 'ajv';
import type { FormatsPlugin } from 'ajv-formats';

const require = createRequire(import.meta.url);
const addFormats = require('ajv-formats') as FormatsPlugin;

const FILES = { 'ocpp1.6': 'ocpp1_6.json', 'ocpp2.0.1': 'ocpp2_0_1.json' } as const;
type Version = keyof typeof FILES;

const ajv = new Ajv({ strict: false });
addFormats(ajv);
const schemas = new Map<Version, readonly AnySchemaObject[]>();

/** What is wrong with it, or nothing. */
export function schemaProblems(
  version: Version,
  action: string,
  direction: 'req' | 'conf',
  payload: unknown,
): readonly string[] {
  const found = schemasOf(version).find(({ $id }) => $id === `urn:${action}.${direction}`);
  if (found === undefined) return [`${version} has no ${action}.${direction}`];
  // These ids are no URIs that ajv takes.
  const { $id: _, ...schema } = found;
  const check = ajv.compile(schema);
  // What is undefined is not sent.
  if (check(JSON.parse(JSON.stringify(payload)))) return [];
  return (check.errors ?? []).map(({ instancePath, message }) => `${action}${instancePath} ${message ?? ''}`);
}

function schemasOf(version: Version): readonly AnySchemaObject[] {
  const known = schemas.get(version);
  if (known !== undefined) return known;
  const folder = join(dirname(require.resolve('ocpp-rpc')), 'lib/schemas');
  const read = JSON.parse(readFileSync(join(folder, FILES[version]), 'utf8')) as AnySchemaObject[];
  schemas.set(version, read);
  return read;
}
