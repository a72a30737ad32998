/** The public entry of the vehicle client: ask for computing power with `connectRequester`, lend it with `startDonor`. */
export { connectRequester, type ConnectOptions } from './sdk.ts';
export type { RequestOptions } from './request-body.ts';
export type { DemandOptions, WantOptions } from './wants.ts';
export { Requester } from './requester.ts';
export { RequestedTask, type TaskEvent, type TaskResult } from './requested-task.ts';
export { startDonor, type DonorOptions } from './start-donor.ts';
export { Donor, type DonorEvent, type DonorStatus } from './donor.ts';
export { loadConfig, type VehicleConfig } from './config.ts';
export { PlugpoolError } from './errors.ts';
export { encodeTensors, decodeTensors, type NamedTensor, type TensorType } from './runtimes/onnx/tensors.ts';
