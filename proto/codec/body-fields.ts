/**
 * The fields of a body as they stand on the wire: its correlation id, and of all kinds the one that it is. The generated code
 * of the kinds reads and writes what is in them. Its `Body` is passed over: at each body it would look at every kind, when
 * writing, and take every other kind away, when reading, which is most of what a small body costs; that a body has one kind is
 * checked before (wire-check.ts).
 */
import type { Reader, Writer } from 'protobufjs/minimal.js';
import { FIELDS } from '../generated/fields.ts';
import { plugpool } from '../generated/plugpool.js';
import type { DownBody, UpBody } from '../messages.ts';
import { LENGTH_DELIMITED, VARINT, type FieldRow } from './wire-plan.ts';
import type { WireBody } from './wire.ts';

/** As `WireBody` names it. */
type Kind = (UpBody | DownBody)['kind'];

interface KindCode {
  readonly kind: string;
  readonly tag: number;
  readonly encode: (message: object, writer: Writer) => Writer;
  readonly decode: (reader: Reader, length: number) => object;
}

/** By field number. */
const KINDS: (KindCode | undefined)[] = [];
const KINDS_BY_NAME = new Map<string, KindCode>();
const CORRELATION_ID_TAG = (FIELDS.Body.correlation_id.id << 3) | VARINT;

for (const [name, row] of Object.entries<FieldRow>(FIELDS.Body)) {
  if (row.of === undefined) continue;
  const { encode, decode } = (plugpool.v1 as unknown as Record<string, KindCode>)[row.of]!;
  const kind = name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  const code = { kind, tag: (row.id << 3) | LENGTH_DELIMITED, encode, decode };
  KINDS[row.id] = code;
  KINDS_BY_NAME.set(kind, code);
}

/** A body that was checked, from where the reader stands to its end. A kind that is not known here is left out. */
export function readBodyFields(reader: Reader): WireBody & { readonly kind?: string } {
  const wire: Record<string, unknown> = { correlationId: 0, kind: undefined };
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const code = KINDS[tag >>> 3];
    if (tag === CORRELATION_ID_TAG) wire['correlationId'] = reader.uint64();
    else if (code?.tag === tag) {
      wire['kind'] = code.kind;
      wire[code.kind] = code.decode(reader, reader.uint32());
    } else reader.skipType(tag & 7);
  }
  return wire;
}

/** Of that kind, as one length-delimited field of a frame. */
export function writeBodyFields(writer: Writer, bodyTag: number, kind: Kind, wire: WireBody): void {
  const code = KINDS_BY_NAME.get(kind);
  if (code === undefined) throw new TypeError(`no such kind: ${kind}`);
  writer.uint32(bodyTag).fork();
  if (wire.correlationId !== 0) writer.uint32(CORRELATION_ID_TAG).uint64(wire.correlationId ?? 0);
  code.encode(wire[kind] ?? {}, writer.uint32(code.tag).fork()).ldelim();
  writer.ldelim();
}
