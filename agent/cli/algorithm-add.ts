/** `plugpool algorithms add FILE …`: sends an image to the agent and catalogues it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import {
  BLOB_BYTES_MAX,
  CPU_MILLICORES_MAX,
  DURATION_MS_MAX,
  MEMORY_MIB_MAX,
  type Demand,
} from '@plugpool/proto';
import type { ControlClient } from '../adapters/control-socket/control-client.ts';
import { IMAGE_PART_BYTES_MAX } from '../adapters/control-socket/protocol.ts';
import type { AlgorithmRecord, Comparison } from '../core/records.ts';
import { CliError } from './context.ts';
import { algorithmName, algorithmVersion, comparison, positive, whole } from './options.ts';
import { unreadableFile } from './unreadable-file.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { bytesInWords, demandInWords } from './words.ts';

interface Flags extends CommonFlags {
  readonly id: string;
  readonly version: string;
  readonly runtime: 'wasm' | 'onnx' | 'echo';
  readonly cpuMillicores: number;
  readonly memoryMib: number;
  readonly workCoreS: number;
  readonly type?: string;
  readonly threads?: number;
  readonly gpuMillis?: number;
  readonly vramMib?: number;
  readonly gpuModel?: string;
  readonly orCpuMillicores?: number;
  readonly orMemoryMib?: number;
  readonly checkpoints?: true;
  readonly compare?: Comparison;
}

export function addAlgorithmAdd(group: Command, cli: CliProgram): void {
  const command = withCommon(group.command('add'))
    .description('catalogue a program')
    .argument('<file>', 'its image: a WASI module (.wasm) or an ONNX model (.onnx)')
    .requiredOption('--id <id>', 'its name', algorithmName)
    .requiredOption(
      '--version <v>',
      'its version; what ran under a version stays what it was',
      algorithmVersion,
    )
    .addOption(
      new Option('--runtime <kind>', 'what runs it').choices(['wasm', 'onnx', 'echo']).makeOptionMandatory(),
    )
    .requiredOption(
      '--cpu-millicores <n>',
      'thousandths of a core that it needs',
      whole(1, CPU_MILLICORES_MAX),
    )
    .requiredOption('--memory-mib <n>', 'memory that it needs', whole(1, MEMORY_MIB_MAX))
    .requiredOption(
      '--work-core-s <n>',
      'work of one run, in seconds of the reference core',
      positive(DURATION_MS_MAX),
    )
    .option('--type <type>', 'what it does, where several do the same (default: its name)', algorithmName)
    .option('--threads <n>', 'threads that it can use (default: its cores, rounded up)', whole(1, 1024))
    .option('--gpu-millis <n>', 'thousandths of a GPU that it needs', whole(1, 1000))
    .option('--vram-mib <n>', 'GPU memory that it needs', whole(0, MEMORY_MIB_MAX))
    .option('--gpu-model <model>', 'only this model of GPU')
    .option(
      '--or-cpu-millicores <n>',
      'or, without a GPU: thousandths of a core',
      whole(1, CPU_MILLICORES_MAX),
    )
    .option('--or-memory-mib <n>', 'or, without a GPU: memory', whole(1, MEMORY_MIB_MAX))
    .option('--checkpoints', 'it can keep its state, and go on from there on another vehicle')
    .option(
      '--compare <how>',
      'when two outputs of one input are the same: bytes, or numbers:FORMAT:TOLERANCE (float32, float64, json)',
      comparison,
    );
  showUsageOnError(command).action(async (file: string, flags: Flags) => {
    const problem = combinationProblem(flags);
    if (problem !== undefined) command.error(`error: ${problem}`, { code: 'usage' });
    await answerFrom(cli, flags, (agent) => add(agent, file, flags));
  });
}

function combinationProblem(flags: Flags): string | undefined {
  const { gpuMillis, vramMib, gpuModel, orCpuMillicores, orMemoryMib } = flags;
  if (gpuMillis === undefined) {
    if (vramMib !== undefined || gpuModel !== undefined)
      return '--vram-mib and --gpu-model need --gpu-millis';
    if (orCpuMillicores !== undefined || orMemoryMib !== undefined)
      return '--or-cpu-millicores and --or-memory-mib are what serves instead of a GPU; they need --gpu-millis';
  } else if (vramMib === undefined)
    return '--gpu-millis needs --vram-mib: MiB of GPU memory, 0 where it needs none of its own';
  if ((orCpuMillicores === undefined) !== (orMemoryMib === undefined))
    return '--or-cpu-millicores and --or-memory-mib need each other';
  return undefined;
}

async function add(agent: ControlClient, path: string, flags: Flags) {
  const image = await sendImage(agent, path);
  const { id, version, runtime, workCoreS } = flags;
  const about = { id, version, runtime, workCoreS, type: flags.type ?? id };
  const added = (await agent.ask('addAlgorithm', {
    ...about,
    image,
    demands: demandsOf(flags),
    ...(flags.checkpoints === true ? { checkpoints: true } : {}),
    ...(flags.compare === undefined ? {} : { compare: flags.compare }),
  })) as AlgorithmRecord;
  const needs = added.demands.map(demandInWords).join(' or ');
  const page = () =>
    `added ${added.id} ${added.version} (${bytesInWords(added.image.sizeBytes)}), which needs ${needs}`;
  return { document: { algorithm: added }, page };
}

function demandsOf(flags: Flags): Demand[] {
  const { cpuMillicores, memoryMib, gpuMillis, vramMib, gpuModel, orCpuMillicores, orMemoryMib } = flags;
  const preferred = { cpuMillicores, memoryMib, threads: threadsOf(flags, cpuMillicores) };
  if (gpuMillis === undefined || vramMib === undefined) return [preferred];
  const gpu = { shareMillis: gpuMillis, vramMib, ...(gpuModel === undefined ? {} : { model: gpuModel }) };
  const demands: Demand[] = [{ ...preferred, gpu }];
  if (orCpuMillicores !== undefined && orMemoryMib !== undefined)
    demands.push({
      cpuMillicores: orCpuMillicores,
      memoryMib: orMemoryMib,
      threads: threadsOf(flags, orCpuMillicores),
    });
  return demands;
}

function threadsOf({ threads }: Flags, cpuMillicores: number): number {
  return threads ?? Math.ceil(cpuMillicores / 1000);
}

/**
 * The agent may be another user, in a file system of its own: the bytes go through the socket. What it holds already, from
 * an earlier try for example, is not sent again.
 */
async function sendImage(agent: ControlClient, path: string) {
  const sizeBytes = await imageSize(path);
  const digest = await digestOf(path);
  const file = await open(path);
  try {
    let offset = 0;
    for (;;) {
      const dataBase64 = await readPart(file, offset);
      const answer = (await agent.ask('imagePart', { digest, sizeBytes, offset, dataBase64 })) as {
        readonly nextOffset: number;
      };
      if (answer.nextOffset >= sizeBytes) return { digest, sizeBytes };
      if (answer.nextOffset === offset) throw changed(path);
      offset = answer.nextOffset;
    }
  } finally {
    await file.close();
  }
}

async function imageSize(path: string): Promise<number> {
  const found = await stat(path).catch((cause: unknown) => {
    throw unreadableFile(path, cause);
  });
  if (!found.isFile()) throw new CliError('file_unreadable', `${path} is no file`, 'name the image itself');
  if (found.size === 0) throw new CliError('image_invalid', `${path} is empty`, 'build the image first');
  if (found.size > BLOB_BYTES_MAX)
    throw new CliError(
      'image_too_large',
      `${path} has ${bytesInWords(found.size)}; an image may have ${bytesInWords(BLOB_BYTES_MAX)}`,
      'strip its debug information, or move data that it carries into its input',
    );
  return found.size;
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (cause) {
    throw unreadableFile(path, cause);
  }
  return hash.digest('hex');
}

async function readPart(file: FileHandle, offset: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(
    Buffer.alloc(IMAGE_PART_BYTES_MAX),
    0,
    IMAGE_PART_BYTES_MAX,
    offset,
  );
  return buffer.subarray(0, bytesRead).toString('base64');
}

function changed(path: string): CliError {
  return new CliError(
    'file_unreadable',
    `${path} became shorter while it was read`,
    'add it again when it is finished',
  );
}
