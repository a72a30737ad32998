/** The adapter for piles that speak OCPP: it reads along at the relay that stands between them and their CSMS. */
import type { Duplex } from 'node:stream';
import { systemClock, type FirmwareClock } from '../clock.ts';
import { parseStationId } from '../connector-id.ts';
import type { ReportIssue } from '../firmware-error.ts';
import { OneRun } from '../one-run.ts';
import type {
  CreditAddress,
  FirmwareAdapter,
  FirmwareCapability,
  FirmwareEvent,
  Pseudonymize,
} from '../port.ts';
import { OcppControl } from './ocpp-control.ts';
import { HEARTBEAT_MS_DEFAULT } from './pile-story.ts';
import { RelayStory, type LeftOut } from './relay-story.ts';
import { TapLink } from './tap-link.ts';
import type { TapLine } from './tap.ts';

export interface OcppFirmwareOptions {
  /** The local socket of the relay. */
  readonly tapPath: string;
  readonly pseudonymize: Pseudonymize;
  /** The station that a pile's identity stands for; absent here: the identity itself. */
  readonly stations?: Readonly<Record<string, string>> | undefined;
  /** How often a pile says something, until its CSMS told it. */
  readonly heartbeatMs?: number | undefined;
  /** 0: only the pile's heartbeat counts. A suspended vehicle is silent for hours. */
  readonly staleAfterMs?: number | undefined;
  /** By which names the CSMS knows a credit record. */
  readonly credit?: CreditAddress | undefined;
  /** How the tap is reached; absent: as a local socket. */
  readonly connect?: ((path: string) => Duplex) | undefined;
  readonly clock?: FirmwareClock | undefined;
  readonly report?: ReportIssue | undefined;
}

/** A silence is noticed this much late at most. */
const LOOK_EVERY_MS = 5_000;
/** What is left out is said once for each pile and reason; beyond so many nobody reads it. */
const LEFT_OUT_SAID_MAX = 256;

/** Checks the options and does nothing else. Throws a `FirmwareError`. */
export function createOcppFirmware(options: OcppFirmwareOptions): FirmwareAdapter {
  return new OcppFirmware(options);
}

class OcppFirmware implements FirmwareAdapter {
  readonly name = 'ocpp';
  readonly capabilities: ReadonlySet<FirmwareCapability> = new Set([
    'soc',
    'power',
    'energy',
    'statedDeparture',
    'transaction',
    'supplyState',
    'credential',
  ] as const);
  readonly staleAfterMs: number;
  readonly control: OcppControl;
  readonly #options: OcppFirmwareOptions;
  readonly #runs = new OneRun<Run>('The OCPP firmware');

  constructor(options: OcppFirmwareOptions) {
    for (const station of Object.values(options.stations ?? {})) parseStationId(station);
    this.#options = options;
    this.staleAfterMs = options.staleAfterMs ?? 0;
    this.control = new OcppControl({
      credit: options.credit,
      clock: options.clock ?? systemClock,
      running: () => this.#runs.current,
    });
  }

  /** Does not wait for the relay: it may come later, and go. */
  async start(emit: (event: FirmwareEvent) => void, signal: AbortSignal): Promise<void> {
    const limitsChanged = (pile: string): void => void this.control.limitsChanged(pile);
    await this.#runs.start(signal, () => new Run(this.#options, emit, signal, limitsChanged));
  }

  async stop(): Promise<void> {
    await this.#runs.stop();
  }
}

/** From one start to its stop. */
class Run {
  readonly link: TapLink;
  readonly story: RelayStory;
  /** What the operator switched on in the relay; nothing while it is away. */
  allow: ReadonlySet<string> = new Set();
  /** Whoever waits for the answer to a call. */
  readonly answers = new Map<string, (line: (TapLine & { readonly t: 'answer' }) | undefined) => void>();
  readonly #options: OcppFirmwareOptions;
  readonly #clock: FirmwareClock;
  readonly #signal: AbortSignal;
  readonly #leftOut = new Set<string>();
  #isOver = false;
  #cancelLook: (() => void) | undefined;
  readonly #onAbort = () => void this.end();

  constructor(
    options: OcppFirmwareOptions,
    emit: (event: FirmwareEvent) => void,
    signal: AbortSignal,
    limitsChanged: (pile: string) => void,
  ) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#signal = signal;
    this.story = new RelayStory({
      stations: options.stations ?? {},
      pseudonymize: options.pseudonymize,
      heartbeatMs: options.heartbeatMs ?? HEARTBEAT_MS_DEFAULT,
      emit: (event) => {
        if (!this.#isOver) emit(event);
      },
      leftOut: (pile, why) => this.#noteLeftOut(pile, why),
      limitsChanged,
    });
    this.link = new TapLink({
      path: options.tapPath,
      connect: options.connect,
      clock: this.#clock,
      onLine: (line) => this.#take(line),
      onLost: (why) => this.#lose(why),
    });
  }

  begin(): void {
    this.#signal.addEventListener('abort', this.#onAbort, { once: true });
    this.link.start();
    this.#look();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#cancelLook?.();
    this.#giveUpCalls();
    await this.link.stop();
  }

  #take(line: TapLine): void {
    if (line.t === 'hello') this.allow = new Set(line.allow);
    if (line.t === 'answer') this.answers.get(line.call)?.(line);
    else this.story.take(line, this.#now());
  }

  #lose(why: string): void {
    this.allow = new Set();
    this.#giveUpCalls();
    this.story.lose('the OCPP relay cannot be reached', this.#now());
    this.#options.report?.({
      code: 'source_lost',
      message: `The OCPP relay cannot be reached at ${this.#options.tapPath}: ${why}`,
      hint: 'Charging goes on; nobody lends at its connectors until the relay is back. Is plugpool-ocpp-relay running?',
    });
  }

  #giveUpCalls(): void {
    for (const answered of [...this.answers.values()]) answered(undefined);
  }

  #look(): void {
    const now = this.#now();
    this.story.advance(now);
    const dueInMs = (this.story.dueMonoMs ?? Infinity) - now.monoMs;
    const delayMs = Math.min(Math.max(1, dueInMs), LOOK_EVERY_MS);
    this.#cancelLook = this.#clock.setTimer(delayMs, () => this.#look());
  }

  #noteLeftOut(pile: string, why: LeftOut): void {
    const said = `${why} ${pile}`;
    if (this.#leftOut.has(said) || this.#leftOut.size >= LEFT_OUT_SAID_MAX) return;
    this.#leftOut.add(said);
    const { message, hint } = LEFT_OUT[why];
    this.#options.report?.({ code: 'source_odd', message: `pile ${JSON.stringify(pile)} ${message}`, hint });
  }

  #now() {
    return { monoMs: this.#clock.nowMonoMs(), wallMs: this.#clock.nowWallMs() };
  }
}

export type OcppRun = Pick<Run, 'link' | 'story' | 'allow' | 'answers'>;

const NO_FRAME = {
  message: 'sends messages that are not OCPP-J; each is passed over (said once)',
  hint: 'What it says beside them counts. Its maker should look at the messages in the log of its CSMS',
};

const LEFT_OUT: Readonly<Record<LeftOut, { readonly message: string; readonly hint: string }>> = {
  no_json: NO_FRAME,
  no_array: NO_FRAME,
  wrong_arity: NO_FRAME,
  wrong_type: NO_FRAME,
  wrong_id: NO_FRAME,
  too_long: {
    message: 'sends messages that are too long to speak of a connector; they are passed over (said once)',
    hint: 'Reports and certificates are; nothing needs to be done',
  },
  too_many_piles: {
    message: 'is one pile too many for this agent',
    hint: 'Let some of the piles connect to the relay of another agent',
  },
  bad_identity: {
    message: 'has an identity that is no station id',
    hint: 'Name its station under `stations` of the ocpp firmware',
  },
};
