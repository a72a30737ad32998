/** Which CSMS a pile has: one that is dialled in its name, or, where its operator said so, none but the relay itself. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { FirmwareClock } from '../../clock.ts';
import type { OcppSubprotocol } from '../tap.ts';
import { dialCsms, readClientTls, type CsmsAddress, type PileHello, type Refusal } from './dial-csms.ts';
import type { LocalDesk } from './local-answers.ts';
import { LocalCsms } from './local-csms.ts';
import type { Peer } from './peer.ts';
import { RareLine } from './rare-line.ts';
import type { RelayConfig, Upstream } from './relay-config.ts';
import { SocketPeer } from './socket-peer.ts';
import { TransactionIds } from './transaction-ids.ts';

export type Reached =
  | { readonly ok: true; readonly csms: Peer; readonly subprotocol: OcppSubprotocol }
  | { readonly ok: false; readonly isFinal: boolean; readonly refusal: Refusal };

export interface CsmsOfPile {
  /** Whether there is a CSMS to be up or down. */
  readonly isDialled: boolean;
  reach(hello: PileHello, signal: AbortSignal): Promise<Reached>;
}

const KNOWN_STARTS_MAX = 1_000;

/** Reads the files that the configuration names; throws where one cannot be read. */
export function csmsChooser(
  config: RelayConfig,
  clock: FirmwareClock,
  log: Logger,
): (identity: string) => CsmsOfPile | undefined {
  const failures = new RareLine();
  const onFailed = ({ code, message }: DiskError): void =>
    failures.tell(clock.nowMonoMs(), (leftOut) =>
      log.error(
        { code, detail: message, ...(leftOut > 0 ? { leftOut } : {}) },
        'no transaction id can be given: withoutCsms.stateFile cannot be written',
      ),
    );
  const starts =
    config.withoutCsms === undefined
      ? undefined
      : new KnownStarts(new TransactionIds(config.withoutCsms.stateFile), onFailed);
  const make = (identity: string, upstream: Upstream, passwordFile?: string): CsmsOfPile =>
    upstream === 'none'
      ? withoutCsms(identity, passwordFile, deskFor(identity, config, starts), clock)
      : dialled(addressOf(upstream, config), config.pingEveryS * 1000);
  const listed = new Map(
    Object.entries(config.piles).map(([identity, pile]): [string, CsmsOfPile] => [
      identity,
      make(identity, pile.upstream ?? config.upstream, pile.passwordFile),
    ]),
  );
  const { upstream } = config;
  const others =
    upstream === 'none' ? undefined : dialled(addressOf(upstream, config), config.pingEveryS * 1000);
  return (identity) => {
    const known = listed.get(identity);
    if (known !== undefined || config.unlistedPiles === 'refuse') return known;
    if (others !== undefined) return others;
    return make(identity, 'none');
  };
}

function addressOf(upstream: Exclude<Upstream, 'none'>, { frameKib }: RelayConfig): CsmsAddress {
  return {
    url: upstream.url,
    connectWithinMs: upstream.connectWithinS * 1000,
    frameBytesMax: frameKib * 1024,
    tls: readClientTls(upstream),
  };
}

function dialled(address: CsmsAddress, pingEveryMs: number): CsmsOfPile {
  return {
    isDialled: true,
    reach: async (hello, signal) => {
      const reached = await dialCsms(address, hello, signal);
      if (!reached.ok) return reached;
      return {
        ok: true,
        csms: new SocketPeer(reached.socket, pingEveryMs),
        subprotocol: reached.subprotocol,
      };
    },
  };
}

/** The pile's password is checked here, where one is configured: there is nobody else to do it. */
function withoutCsms(
  identity: string,
  passwordFile: string | undefined,
  desk: LocalDesk,
  clock: FirmwareClock,
): CsmsOfPile {
  const password = passwordFile === undefined ? undefined : readFileSync(passwordFile, 'utf8').trim();
  return {
    isDialled: false,
    reach: async ({ subprotocols: [subprotocol], authorization }) => {
      if (password !== undefined && !isBasic(authorization, identity, password)) return wrongPassword();
      if (subprotocol === undefined) throw new Error('a pile came in that speaks no OCPP');
      return { ok: true, csms: new LocalCsms(subprotocol, desk, clock), subprotocol };
    },
  };
}

function wrongPassword(): Reached {
  const headers = { 'www-authenticate': 'Basic realm="ocpp"' };
  return {
    ok: false,
    isFinal: true,
    refusal: { kind: 'http', status: 401, headers, why: 'the password is not the one of this pile' },
  };
}

function isBasic(authorization: string | undefined, identity: string, password: string): boolean {
  const expected = `Basic ${Buffer.from(`${identity}:${password}`).toString('base64')}`;
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(authorization ?? ''), digest(expected));
}

function deskFor(identity: string, { withoutCsms }: RelayConfig, starts: KnownStarts | undefined): LocalDesk {
  if (withoutCsms === undefined || starts === undefined)
    throw new Error(`no word on how the pile ${identity} is run without a CSMS`);
  const { idTokens, heartbeatEveryS } = withoutCsms;
  return {
    heartbeatS: heartbeatEveryS,
    idTokens: idTokens === 'all' ? 'all' : new Set(idTokens.map((token) => token.toUpperCase())),
    transactionId: (start) => starts.idOf(`${identity} ${start}`),
  };
}

type DiskError = Error & { readonly code: unknown };

/** A pile that did not hear the answer says its StartTransaction again, and means the same one. */
class KnownStarts {
  readonly #ids: TransactionIds;
  readonly #onFailed: (error: DiskError) => void;
  readonly #given = new Map<string, number>();

  constructor(ids: TransactionIds, onFailed: (error: DiskError) => void) {
    this.#ids = ids;
    this.#onFailed = onFailed;
  }

  /** Undefined where the disk takes no more. */
  idOf(start: string): number | undefined {
    const id = this.#given.get(start) ?? this.#next();
    if (id === undefined) return undefined;
    this.#given.delete(start);
    this.#given.set(start, id);
    const [oldest] = this.#given.keys();
    if (this.#given.size > KNOWN_STARTS_MAX && oldest !== undefined) this.#given.delete(oldest);
    return id;
  }

  #next(): number | undefined {
    try {
      return this.#ids.next();
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      this.#onFailed(error);
      return undefined;
    }
  }
}
