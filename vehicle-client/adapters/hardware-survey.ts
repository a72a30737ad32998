/**
 * What this machine is and how fast one of its cores runs, found out once: in a child process, because the survey loads ten
 * megabytes and computes for half a second, neither of which a program that lives for weeks should keep.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { GPUS_MAX, type HardwareProfile } from '@plugpool/proto';
import { PlugpoolError } from '../errors.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 60_000;

const GPU_SCHEMA = z.object({
  deviceId: z.string(),
  model: z.string(),
  shareMillis: z.int().min(0).max(1000),
  vramMib: z.int().min(0),
});

const PROFILE_SCHEMA = z.object({
  cpuModel: z.string(),
  cores: z.int().min(1),
  clockMhz: z.int().min(0),
  memoryMib: z.int().min(1),
  gpus: z.array(GPU_SCHEMA).max(GPUS_MAX),
  speedMillis: z.int().min(1),
  platform: z.string(),
});

const CACHED_SCHEMA = z.object({ key: z.string(), profile: PROFILE_SCHEMA });

/** The profile kept in `cachePath` where it is of this machine since its last boot; else a new survey, kept there. */
export async function surveyHardware(cachePath: string, signal: AbortSignal): Promise<HardwareProfile> {
  const key = machineKey();
  const cached = await readCached(cachePath, key);
  if (cached !== undefined) return cached;
  const profile = await surveyInChild(signal);
  await keepCached(cachePath, JSON.stringify({ key, profile }));
  return profile;
}

async function surveyInChild(signal: AbortSignal): Promise<HardwareProfile> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const script = fileURLToPath(new URL(`./hardware-survey-child.${extension}`, import.meta.url));
  try {
    const { stdout } = await run(process.execPath, [script], { signal, timeout: TIMEOUT_MS });
    return PROFILE_SCHEMA.parse(JSON.parse(stdout));
  } catch (error) {
    signal.throwIfAborted();
    throw new PlugpoolError({
      code: 'survey_failed',
      message: `this machine could not be measured: ${error instanceof Error ? error.message : String(error)}`,
      hint: `run "${process.execPath} ${script}" to see what it says`,
      retryable: true,
      cause: error,
    });
  }
}

/** Hardware does not change while a machine runs: where the boot has an id, the survey of this boot still holds. */
function machineKey(): string {
  return [bootId(), os.cpus()[0]?.model, os.cpus().length, os.totalmem(), process.arch, process.version].join(
    '|',
  );
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // By the hour in which the machine was started; a clock that was set in between costs one survey.
    return String(Math.round((Date.now() / 1000 - os.uptime()) / 3600));
  }
}

async function readCached(path: string, key: string): Promise<HardwareProfile | undefined> {
  try {
    const cached = CACHED_SCHEMA.parse(JSON.parse(await readFile(path, 'utf8')));
    return cached.key === key ? cached.profile : undefined;
  } catch {
    // Missing or unreadable: measured again.
    return undefined;
  }
}

async function keepCached(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.${process.pid}.part`;
  await writeFile(partial, text, { mode: 0o600 });
  await rename(partial, path);
}
