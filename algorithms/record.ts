/**
 * Records anew what the images give for their inputs, after an image or an input has changed on purpose. Look at the
 * difference before committing it: what the checks demand beside equality must still hold.
 */
import { exampleAlgorithms } from './catalogue.ts';
import { sha256Of, writeRecorded } from './recording/recorded.ts';
import { runWasmImage } from './recording/run-image.ts';
import { runOnnxModel } from './recording/run-model.ts';
import { recordMaps } from './sign-text/examples.ts';
import type { RecordedInput } from './recording/recorded.ts';

const recorded: Record<string, RecordedInput> = {};
const maps = new Map<string, Uint8Array>();

for (const algorithm of await exampleAlgorithms()) {
  for (const input of algorithm.inputs) {
    console.error(`${algorithm.id}: ${input.name}`);
    const bytes = await input.bytes();
    if (algorithm.runtime === 'onnx') {
      maps.set(input.name, await runOnnxModel(algorithm.imagePath, bytes));
      continue;
    }
    const run = await runWasmImage(algorithm.imagePath, algorithm.args, bytes);
    if (run.exitCode !== 0) throw new Error(`${algorithm.id} fails on ${input.name}: ${run.stderr}`);
    const outputSha256 = { ...recorded[input.name]?.outputSha256, [algorithm.id]: sha256Of(run.output) };
    recorded[input.name] = { inputSha256: sha256Of(bytes), outputSha256 };
  }
}
await writeRecorded(recorded);
await recordMaps(maps);
