/** Reads a register map from its YAML file: one that is shipped, by its name, or the operator's own, by its path. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { FirmwareError } from '../firmware-error.ts';
import { issueInWords } from '../issue-words.ts';
import { registerMapSchema } from './register-map.ts';
import type { RegisterMap } from './register-map.ts';

const MAPS_FOLDER = join(import.meta.dirname, 'maps');
const FILE_BYTES_MAX = 262_144;
const PROBLEMS_TOLD_MAX = 10;

/** Names of the maps that are shipped. */
export function shippedMaps(): readonly string[] {
  return readdirSync(MAPS_FOLDER)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => basename(file, '.yaml'))
    .sort();
}

/** `keba`, or a path with a `/` in it. Throws a `FirmwareError` that names every place that is wrong. */
export function loadMap(nameOrPath: string): RegisterMap {
  const isPath = nameOrPath.includes('/');
  if (!isPath && !shippedMaps().includes(nameOrPath)) {
    throw new FirmwareError(
      'invalid_argument',
      `No register map is called ${JSON.stringify(nameOrPath)}`,
      `Name one of ${shippedMaps().join(', ')}, or give the path of your own: ./${nameOrPath}.yaml`,
    );
  }
  const file = isPath ? nameOrPath : join(MAPS_FOLDER, `${nameOrPath}.yaml`);
  return checkMap(file, parseYaml(file));
}

/** Of what a file said; for maps that do not come from one, too. */
export function checkMap(file: string, value: unknown): RegisterMap {
  const result = registerMapSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues
    .slice(0, PROBLEMS_TOLD_MAX)
    .map(
      (issue) =>
        `${issue.path.length === 0 ? 'the map' : z.core.toDotPath(issue.path)} ${issueInWords(issue)}`,
    );
  throw new FirmwareError(
    'invalid_file',
    `${file}: ${problems.join('; ')}`,
    'docs/firmware/modbus.md says what a register map may say',
  );
}

function parseYaml(file: string): unknown {
  try {
    if (statSync(file).size > FILE_BYTES_MAX) throw new Error(`it has more than ${FILE_BYTES_MAX} bytes`);
    return parse(readFileSync(file, 'utf8'), { maxAliasCount: 100 });
  } catch (error) {
    throw new FirmwareError(
      'invalid_file',
      `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      'Give a YAML file; docs/firmware/modbus.md has an example',
      { cause: error },
    );
  }
}
