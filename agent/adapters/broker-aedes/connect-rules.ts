/** Which CONNECT (MQTT 3.1.1, section 3.1) this broker takes, and with which return code it refuses the others. */
import { isUtf8 } from 'node:buffer';
import { parseClientId } from '@plugpool/proto';
import type { ClientName } from '@plugpool/proto';

/** Section 3.2.2.3. */
export const connectReturnCodes = {
  protocolUnacceptable: 1,
  identifierRejected: 2,
  serverUnavailable: 3,
  badUserNameOrPassword: 4,
  notAuthorized: 5,
} as const;
export type ConnectReturnCode = (typeof connectReturnCodes)[keyof typeof connectReturnCodes];

export interface ConnectRequest {
  readonly protocolVersion?: number | undefined;
  readonly bridgeMode?: boolean | undefined;
  readonly clientId: string;
  readonly clean?: boolean | undefined;
  readonly keepalive?: number | undefined;
  readonly will?: object | undefined;
  readonly username?: string | undefined;
  readonly password?: Buffer | string | undefined;
}

export type ConnectVerdict =
  | { readonly ok: true; readonly name: ClientName; readonly token: string | undefined }
  | { readonly ok: false; readonly code: ConnectReturnCode; readonly reason: string };

/** A vehicle that vanishes is noticed after one and a half times its keep-alive. */
const KEEPALIVE_S_MAX = 300;

export function judgeConnect(request: ConnectRequest): ConnectVerdict {
  const codes = connectReturnCodes;
  if (request.protocolVersion !== 4 || request.bridgeMode === true) {
    return refuse(codes.protocolUnacceptable, 'only MQTT 3.1.1 (protocol level 4) is spoken here');
  }
  const name = parseClientId(request.clientId);
  if (name === undefined) {
    return refuse(codes.identifierRejected, 'the client id is not <vehicleId>.lend or <vehicleId>.ask-<n>');
  }
  if (request.clean !== true) {
    return refuse(codes.notAuthorized, 'the session must be clean: nothing is queued for who is away');
  }
  const keepaliveS = request.keepalive ?? 0;
  if (keepaliveS < 1 || keepaliveS > KEEPALIVE_S_MAX) {
    return refuse(codes.notAuthorized, `the keep-alive must be 1 to ${KEEPALIVE_S_MAX} seconds`);
  }
  if (request.will !== undefined) return refuse(codes.notAuthorized, 'a will is not taken');
  if (request.username !== undefined && request.username !== name.vehicleId) {
    return refuse(codes.badUserNameOrPassword, 'the user name is neither absent nor the vehicle id');
  }
  return readToken(name, request.password);
}

/** Two different passwords must not decode to one token, so what is not UTF-8 is refused and not repaired. */
function readToken(name: ClientName, password: Buffer | string | undefined): ConnectVerdict {
  if (password === undefined || typeof password === 'string') return { ok: true, name, token: password };
  if (!isUtf8(password)) {
    return refuse(connectReturnCodes.badUserNameOrPassword, 'the password is not UTF-8');
  }
  return { ok: true, name, token: password.toString('utf8') };
}

function refuse(code: ConnectReturnCode, reason: string): ConnectVerdict {
  return { ok: false, code, reason };
}

export function encodeConnack(code: ConnectReturnCode): Buffer {
  return Buffer.from([0x20, 2, 0, code]);
}
