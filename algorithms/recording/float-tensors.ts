/** Numbers into a named tensor and back. */
import type { NamedTensor } from '@plugpool/vehicle-client';

export function floatTensor(name: string, dims: readonly number[], values: Float32Array): NamedTensor {
  return { name, dtype: 'float32', dims, data: new Uint8Array(Float32Array.from(values).buffer) };
}

export function floatsOf({ name, dtype, data }: NamedTensor): Float32Array {
  if (dtype !== 'float32') throw new Error(`tensor "${name}" holds ${dtype}, not float32`);
  return new Float32Array(Uint8Array.from(data).buffer);
}
