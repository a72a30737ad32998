/** Which function reads and writes which kind of body, and which way a kind may travel. */
import type { BlobBody, DownBody, UpBody } from '../messages.ts';
import {
  readBlobChunk,
  readBlobPull,
  readBlobRefused,
  writeBlobChunk,
  writeBlobPull,
  writeBlobRefused,
} from './blob.ts';
import {
  readConnectorBound,
  readConnectorClaim,
  readPowerReport,
  readWatchPower,
  writeConnectorBound,
  writeConnectorClaim,
  writePowerReport,
  writeWatchPower,
} from './connector.ts';
import {
  readAccepted,
  readCheckpointAck,
  readDelivery,
  readDeploy,
  readEarningsReport,
  readOffer,
  readRefused,
  readRenewed,
  readResultAck,
  readRevoke,
  readStatusReport,
  readTaskUpdate,
  readWelcome,
  writeAccepted,
  writeCheckpointAck,
  writeDelivery,
  writeDeploy,
  writeEarningsReport,
  writeOffer,
  writeRefused,
  writeRenewed,
  writeResultAck,
  writeRevoke,
  writeStatusReport,
  writeTaskUpdate,
  writeWelcome,
} from './down.ts';
import {
  readCancel,
  readCapacityReport,
  readCheckpoint,
  readDecline,
  readHello,
  readRenewalEntries,
  readResult,
  readStatusQuery,
  readTaskRequest,
  writeCancel,
  writeCapacityReport,
  writeCheckpoint,
  writeDecline,
  writeHello,
  writeRenewalEntries,
  writeResult,
  writeStatusQuery,
  writeTaskRequest,
} from './up.ts';
import { readId, readRequired } from './values.ts';
import type { WireBody } from './wire.ts';

/** Of each kind, how it is read from a body that sets it. */
type Readers<Body extends { kind: string }> = {
  readonly [Kind in Body['kind']]: (wire: WireBody) => Extract<Body, { kind: Kind }>;
};

const BLOB_READERS: Readers<BlobBody> = {
  blobPull: (wire) => readBlobPull(readRequired(wire.blobPull, 'blob_pull')),
  blobChunk: (wire) => readBlobChunk(readRequired(wire.blobChunk, 'blob_chunk')),
  blobRefused: (wire) => readBlobRefused(readRequired(wire.blobRefused, 'blob_refused')),
};

export const UP_READERS: Readers<UpBody> = {
  hello: (wire) => readHello(readRequired(wire.hello, 'hello')),
  capacity: (wire) => readCapacityReport(readRequired(wire.capacity, 'capacity')),
  request: (wire) => readTaskRequest(readRequired(wire.request, 'request')),
  cancel: (wire) => readCancel(readRequired(wire.cancel, 'cancel')),
  decline: (wire) => readDecline(readRequired(wire.decline, 'decline')),
  renewal: (wire) => ({ kind: 'renewal', held: readRenewalEntries(readRequired(wire.renewal, 'renewal')) }),
  checkpoint: (wire) => readCheckpoint(readRequired(wire.checkpoint, 'checkpoint')),
  result: (wire) => readResult(readRequired(wire.result, 'result')),
  deliveryAck: (wire) => ({
    kind: 'deliveryAck',
    taskId: readId(wire.deliveryAck?.taskId, 'DeliveryAck.task_id'),
  }),
  statusQuery: (wire) => readStatusQuery(readRequired(wire.statusQuery, 'status_query')),
  earningsQuery: () => ({ kind: 'earningsQuery' }),
  connectorClaim: (wire) => readConnectorClaim(readRequired(wire.connectorClaim, 'connector_claim')),
  powerReport: (wire) => readPowerReport(readRequired(wire.powerReport, 'power_report')),
  ...BLOB_READERS,
};

export const DOWN_READERS: Readers<DownBody> = {
  welcome: (wire) => readWelcome(readRequired(wire.welcome, 'welcome')),
  accepted: (wire) => readAccepted(readRequired(wire.accepted, 'accepted')),
  refused: (wire) => readRefused(readRequired(wire.refused, 'refused')),
  offer: (wire) => readOffer(readRequired(wire.offer, 'offer')),
  deploy: (wire) => readDeploy(readRequired(wire.deploy, 'deploy')),
  revoke: (wire) => readRevoke(readRequired(wire.revoke, 'revoke')),
  renewed: (wire) => readRenewed(readRequired(wire.renewed, 'renewed')),
  resultAck: (wire) => readResultAck(readRequired(wire.resultAck, 'result_ack')),
  checkpointAck: (wire) => readCheckpointAck(readRequired(wire.checkpointAck, 'checkpoint_ack')),
  earningsReport: (wire) => readEarningsReport(readRequired(wire.earningsReport, 'earnings_report')),
  connectorBound: (wire) => readConnectorBound(readRequired(wire.connectorBound, 'connector_bound')),
  watchPower: (wire) => readWatchPower(readRequired(wire.watchPower, 'watch_power')),
  delivery: (wire) => readDelivery(readRequired(wire.delivery, 'delivery')),
  taskUpdate: (wire) => readTaskUpdate(readRequired(wire.taskUpdate, 'task_update')),
  statusReport: (wire) => readStatusReport(readRequired(wire.statusReport, 'status_report')),
  ...BLOB_READERS,
};

export function writeBody(correlationId: number, body: UpBody | DownBody): WireBody {
  switch (body.kind) {
    case 'hello':
      return { correlationId, hello: writeHello(body) };
    case 'capacity':
      return { correlationId, capacity: writeCapacityReport(body) };
    case 'request':
      return { correlationId, request: writeTaskRequest(body) };
    case 'cancel':
      return { correlationId, cancel: writeCancel(body) };
    case 'decline':
      return { correlationId, decline: writeDecline(body) };
    case 'renewal':
      return { correlationId, renewal: writeRenewalEntries(body.held) };
    case 'checkpoint':
      return { correlationId, checkpoint: writeCheckpoint(body) };
    case 'result':
      return { correlationId, result: writeResult(body) };
    case 'deliveryAck':
      return { correlationId, deliveryAck: { taskId: body.taskId } };
    case 'statusQuery':
      return { correlationId, statusQuery: writeStatusQuery(body) };
    case 'earningsQuery':
      return { correlationId, earningsQuery: {} };
    case 'connectorClaim':
      return { correlationId, connectorClaim: writeConnectorClaim(body) };
    case 'powerReport':
      return { correlationId, powerReport: writePowerReport(body) };
    case 'connectorBound':
      return { correlationId, connectorBound: writeConnectorBound(body) };
    case 'watchPower':
      return { correlationId, watchPower: writeWatchPower(body) };
    case 'welcome':
      return { correlationId, welcome: writeWelcome(body) };
    case 'accepted':
      return { correlationId, accepted: writeAccepted(body) };
    case 'refused':
      return { correlationId, refused: writeRefused(body) };
    case 'offer':
      return { correlationId, offer: writeOffer(body) };
    case 'deploy':
      return { correlationId, deploy: writeDeploy(body) };
    case 'revoke':
      return { correlationId, revoke: writeRevoke(body) };
    case 'renewed':
      return { correlationId, renewed: writeRenewed(body) };
    case 'resultAck':
      return { correlationId, resultAck: writeResultAck(body) };
    case 'checkpointAck':
      return { correlationId, checkpointAck: writeCheckpointAck(body) };
    case 'earningsReport':
      return { correlationId, earningsReport: writeEarningsReport(body) };
    case 'delivery':
      return { correlationId, delivery: writeDelivery(body) };
    case 'taskUpdate':
      return { correlationId, taskUpdate: writeTaskUpdate(body) };
    case 'statusReport':
      return { correlationId, statusReport: writeStatusReport(body) };
    case 'blobPull':
      return { correlationId, blobPull: writeBlobPull(body) };
    case 'blobChunk':
      return { correlationId, blobChunk: writeBlobChunk(body) };
    case 'blobRefused':
      return { correlationId, blobRefused: writeBlobRefused(body) };
    default:
      return assertNever(body);
  }
}

function assertNever(body: never): never {
  throw new TypeError(`no such body: ${JSON.stringify(body)}`);
}
