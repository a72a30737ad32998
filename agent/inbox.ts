/** From the bytes of a publish to events: decoded or refused here, and nowhere later. */
import { hash } from 'node:crypto';
import {
  decodeUpFrame,
  topicKindOf,
  type BlobRef,
  type ClientName,
  type Envelope,
  type Reason,
  type TaskRequest,
  type TopicKind,
  type UpBody,
} from '@plugpool/proto';
import type { ConnectionNumber, Event } from './core/events.ts';

export interface Unpacked {
  readonly events: Event[];
  readonly refusals: readonly { readonly correlationId: number; readonly reason: Reason }[];
}

/** The pile has these bytes, and the sender may have them. */
export type HoldsFor = (blob: BlobRef) => boolean;

export interface Sender {
  readonly name: ClientName;
  readonly connection: ConnectionNumber;
  readonly topic: TopicKind;
}

/** What a frame says, as events of that connection, and what of it is refused. */
export function unpackFrame(
  { name, connection, topic }: Sender,
  payload: Uint8Array,
  holds: HoldsFor,
): Unpacked {
  const frame = decodeUpFrame(payload);
  if (!frame.ok) {
    const hint = 'docs/protocol.md describes the frame';
    return {
      events: [],
      refusals: [{ correlationId: 0, reason: { code: frame.code, detail: frame.detail, hint } }],
    };
  }
  const isMisplaced = ({ body }: Envelope<UpBody>): boolean => topicKindOf(body) !== topic;
  const misplaced = frame.envelopes.filter(isMisplaced);
  const placed =
    misplaced.length === 0 ? frame.envelopes : frame.envelopes.filter((one) => !isMisplaced(one));
  const events = placed.map((envelope): Event => {
    const { body } = envelope;
    const about = { kind: 'message', client: name, connection, envelope } as const;
    if (body.kind === 'request')
      return { ...about, bodyHash: hashOfRequest(body), blobHeld: isHeld(body.input, holds) };
    if (body.kind === 'result' && body.outcome.ok)
      return { ...about, blobHeld: isHeld(body.outcome.output, holds) };
    return about;
  });
  return { events, refusals: [...frame.rejected, ...misplaced.map(refuseMisplaced)] };
}

/** Unanswered, its sender would wait for ever. */
function refuseMisplaced({ correlationId, body }: Envelope<UpBody>): Unpacked['refusals'][number] {
  const detail = `${body.kind}: it has no place on this topic`;
  const hint = `publish it on up/${topicKindOf(body)}`;
  return { correlationId, reason: { code: 'malformed', detail, hint } };
}

function isHeld(payload: TaskRequest['input'], holds: HoldsFor): boolean {
  return payload.where === 'inline' || holds(payload.blob);
}

/** sha256 of what a request means: two requests with the same hash ask for the same. */
export function hashOfRequest(body: Extract<UpBody, { kind: 'request' }>): string {
  const { input } = body;
  const wants = body.wants === undefined ? [] : [inKeyOrder(body.wants)];
  const about = JSON.stringify([body.selector, body.args, body.deadlineMs ?? null, input.where, ...wants]);
  const bytes = input.where === 'inline' ? input.bytes : Buffer.from(input.blob.digest);
  return hash('sha256', Buffer.concat([Buffer.from(`${about}\0`), bytes]), 'hex');
}

/** The hash is kept on disk: the order in which a later version happens to build an object must not change it. */
function inKeyOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(inKeyOrder);
  const sorted = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return sorted.map(([key, inner]) => [key, inKeyOrder(inner)]);
}
