/** Topics and client ids: `plugpool/v1/<vehicleId>/<slot>/{up|down}/{frame|blob}`; a client's id is `<vehicleId>.<slot>`. */
import type { ClientId, Slot, VehicleId } from './domain.ts';
import { ID_PATTERN, SLOT_PATTERN } from './limits.ts';
import type { BlobBody, DownBody, UpBody } from './messages.ts';

export const TOPIC_ROOT = 'plugpool/v1';

/** `frame` carries the conversation; `blob` carries chunks, so that bulk never stands before a renewal in one message. */
export type TopicKind = 'frame' | 'blob';

/** Bytes above a message travel on the topics of that name, and nothing else does. */
export function isBlobBody(body: UpBody | DownBody): body is BlobBody {
  return body.kind === 'blobPull' || body.kind === 'blobChunk' || body.kind === 'blobRefused';
}

export function topicKindOf(body: UpBody | DownBody): TopicKind {
  return isBlobBody(body) ? 'blob' : 'frame';
}

export interface ClientName {
  readonly vehicleId: VehicleId;
  readonly slot: Slot;
  readonly clientId: ClientId;
}

/** The parts of an MQTT client id, or undefined where it is not `<vehicleId>.<slot>`. */
export function parseClientId(clientId: string): ClientName | undefined {
  const dot = clientId.indexOf('.');
  if (dot < 0) return undefined;
  const vehicleId = clientId.slice(0, dot);
  const slot = clientId.slice(dot + 1);
  if (!ID_PATTERN.test(vehicleId) || !SLOT_PATTERN.test(slot)) return undefined;
  return { vehicleId: vehicleId as VehicleId, slot: slot as Slot, clientId: clientId as ClientId };
}

export function clientIdOf(vehicleId: VehicleId, slot: Slot): ClientId {
  return `${vehicleId}.${slot}` as ClientId;
}

/** Whose client it is, of an id that was parsed or made. */
export function vehicleIdOf(clientId: ClientId): VehicleId {
  return clientId.slice(0, clientId.indexOf('.')) as VehicleId;
}

export function upTopic(name: Pick<ClientName, 'vehicleId' | 'slot'>, kind: TopicKind): string {
  return `${TOPIC_ROOT}/${name.vehicleId}/${name.slot}/up/${kind}`;
}

export function downTopic(name: Pick<ClientName, 'vehicleId' | 'slot'>, kind: TopicKind): string {
  return `${TOPIC_ROOT}/${name.vehicleId}/${name.slot}/down/${kind}`;
}

/** The one subscription that a client may make. */
export function downFilter(name: Pick<ClientName, 'vehicleId' | 'slot'>): string {
  return `${TOPIC_ROOT}/${name.vehicleId}/${name.slot}/down/+`;
}

/** Which of its two up topics a client published to, or undefined where the topic is not its own. */
export function upKind(name: Pick<ClientName, 'vehicleId' | 'slot'>, topic: string): TopicKind | undefined {
  if (topic === upTopic(name, 'frame')) return 'frame';
  if (topic === upTopic(name, 'blob')) return 'blob';
  return undefined;
}
