/** Runs an example's ONNX model in this process, for the tests and for recording, with tensors as a donor gives them. */
import { decodeTensors, encodeTensors } from '@plugpool/vehicle-client';
import { floatsOf, floatTensor } from './float-tensors.ts';

export async function runOnnxModel(modelPath: string, input: Uint8Array): Promise<Uint8Array> {
  // Read when the library is loaded: otherwise it writes a device id and telemetry into the user's home.
  process.env['ORT_DISABLE_TELEMETRY'] = '1';
  const ort = await import('onnxruntime-node');
  const session = await ort.InferenceSession.create(modelPath, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  try {
    const tensors = decodeTensors(input).map((tensor) => {
      return [tensor.name, new ort.Tensor('float32', floatsOf(tensor), tensor.dims)] as const;
    });
    const outputs = await session.run(Object.fromEntries(tensors));
    return encodeTensors(
      Object.entries(outputs).map(([name, { dims, data }]) => floatTensor(name, dims, data as Float32Array)),
    );
  } finally {
    await session.release();
  }
}
