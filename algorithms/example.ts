/** What an example algorithm brings for the demo, the benches and the tests: its image, what it asks of a donor, inputs. */
import type { Demand } from '@plugpool/proto';
import type { CheckResult } from './recording/verdict.ts';

export interface ExampleInput {
  readonly name: string;
  bytes(): Promise<Uint8Array>;
  /** Whether an output is the right one for this input, whichever algorithm of the type it came from. */
  check(output: Uint8Array): Promise<CheckResult>;
  /** Processor time on a core of the machine the examples were measured on. */
  readonly approxSeconds: number;
}

export interface ExampleAlgorithm {
  readonly id: string;
  readonly version: string;
  readonly type: string;
  readonly runtime: 'wasm' | 'onnx';
  /** Absolute. */
  readonly imagePath: string;
  readonly sizeBytes: number;
  /** Alternatives, the preferred one first. */
  readonly demands: readonly Demand[];
  /** Normalised core-seconds of a middling input. */
  readonly workCoreS: number;
  /** As `plugpool algorithms add --compare` takes it. */
  readonly compare: string;
  readonly args: readonly string[];
  readonly inputs: readonly ExampleInput[];
}
