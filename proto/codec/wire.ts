/** The generated message types under short names; types only. With `codec.ts` the only file that names generated code. */
import type { FIELDS } from '../generated/fields.ts';
import type { plugpool } from '../generated/plugpool.js';

export type FieldTable = typeof FIELDS;

export type WireBody = plugpool.v1.Body.$Properties;

export type WireGpuDevice = plugpool.v1.GpuDevice.$Properties;
export type WireCapacity = plugpool.v1.Capacity.$Properties;
export type WireDemand = plugpool.v1.Demand.$Properties;
export type WireBlobRef = plugpool.v1.BlobRef.$Properties;
export type WirePayload = plugpool.v1.Payload.$Properties;
export type WireLeaseId = plugpool.v1.LeaseId.$Properties;
export type WireUsed = plugpool.v1.Used.$Properties;
export type WireFailure = plugpool.v1.Failure.$Properties;
export type WireReason = plugpool.v1.Reason.$Properties;
export type WireRunLimits = plugpool.v1.RunLimits.$Properties;
export type WireHardwareProfile = plugpool.v1.HardwareProfile.$Properties;

export type WireHello = plugpool.v1.Hello.$Properties;
export type WireCapacityReport = plugpool.v1.CapacityReport.$Properties;
export type WireTaskRequest = plugpool.v1.TaskRequest.$Properties;
export type WireWants = plugpool.v1.Wants.$Properties;
export type WirePlace = plugpool.v1.Place.$Properties;
export type WirePoint = plugpool.v1.Point.$Properties;
export type WireTrust = plugpool.v1.Trust.$Properties;
export type WireDemandOverride = plugpool.v1.DemandOverride.$Properties;
export type WireGpuOverride = plugpool.v1.DemandOverride.Gpu.$Properties;
export type WireCancel = plugpool.v1.Cancel.$Properties;
export type WireDecline = plugpool.v1.Decline.$Properties;
export type WireRenewal = plugpool.v1.Renewal.$Properties;
export type WireCheckpoint = plugpool.v1.Checkpoint.$Properties;
export type WireResult = plugpool.v1.Result.$Properties;
export type WireStatusQuery = plugpool.v1.StatusQuery.$Properties;

export type WireConnectorClaim = plugpool.v1.ConnectorClaim.$Properties;
export type WirePowerReport = plugpool.v1.PowerReport.$Properties;

export type WireWelcome = plugpool.v1.Welcome.$Properties;
export type WireAccepted = plugpool.v1.Accepted.$Properties;
export type WireRefused = plugpool.v1.Refused.$Properties;
export type WireOffer = plugpool.v1.Offer.$Properties;
export type WireDeploy = plugpool.v1.Deploy.$Properties;
export type WireDeployedImage = plugpool.v1.DeployedImage.$Properties;
export type WirePart = plugpool.v1.Offer.Part.$Properties;
export type WireRevoke = plugpool.v1.Revoke.$Properties;
export type WireRenewed = plugpool.v1.Renewed.$Properties;
export type WireResultAck = plugpool.v1.ResultAck.$Properties;
export type WireCheckpointAck = plugpool.v1.CheckpointAck.$Properties;
export type WireEarningsReport = plugpool.v1.EarningsReport.$Properties;
export type WireEarningsSum = plugpool.v1.EarningsReport.Sum.$Properties;
export type WireEarningTerms = plugpool.v1.EarningsReport.Terms.$Properties;
export type WireConnectorBound = plugpool.v1.ConnectorBound.$Properties;
export type WireWatchPower = plugpool.v1.WatchPower.$Properties;
export type WireDelivery = plugpool.v1.Delivery.$Properties;
export type WireTaskUpdate = plugpool.v1.TaskUpdate.$Properties;
export type WireStatusReport = plugpool.v1.StatusReport.$Properties;
export type WireWaitExplanation = plugpool.v1.WaitExplanation.$Properties;
export type WireStatusEntry = plugpool.v1.StatusReport.Task.$Properties;

export type WireBlobPull = plugpool.v1.BlobPull.$Properties;
export type WireBlobChunk = plugpool.v1.BlobChunk.$Properties;
export type WireBlobRefused = plugpool.v1.BlobRefused.$Properties;
