/** A made-up charger and vehicle on a CAN bus (GB/T 27930-2015), as `candump -L` would write them down. */

const FROM_CHARGER = 'F456';
const FROM_VEHICLE = '56F4';
const VIN_START = 24;

/** Little-endian, each number with how many bytes it takes. */
type Part = readonly [value: number, bytes: number];

function bytesOf(...parts: readonly Part[]): Uint8Array {
  return Uint8Array.from(parts.flatMap(([value, bytes]) => spread(value, bytes)));
}

function spread(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => (value >> (8 * index)) & 0xff);
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex').toUpperCase();
}

function amperes(currentA: number): Part {
  return [Math.round(4000 - currentA * 10), 2];
}

interface Flow {
  readonly currentA: number;
  /** What the vehicle asks for; absent: what it gets. */
  readonly demandA: number;
  readonly socPct: number;
  /** The charger's two bits: 1 gives, 0 pauses. */
  readonly output: number;
  /** The battery's two bits: 1 allows, 0 forbids. */
  readonly allowed: number;
  readonly remainingMin: number;
}

const FLOW = { currentA: 20, socPct: 50, output: 1, allowed: 1, remainingMin: 30 };

/** Each method says one message at the bus's time, which `wait` moves on. */
export class Gbt27930Bus {
  readonly #bus: string;
  #atMs: number;
  #lines: string[] = [];

  constructor(bus = 'can0', startMs = 1_000_000) {
    this.#bus = bus;
    this.#atMs = startMs;
  }

  /** What was said since it was last asked, ready for a file or a socket. */
  take(): string {
    const text = this.#lines.map((line) => `${line}\n`).join('');
    this.#lines = [];
    return text;
  }

  wait(ms: number): this {
    this.#atMs += ms;
    return this;
  }

  /** Both sides for `ms`, each message at its own period: what a charging stage sounds like. */
  charge(ms: number, flow: Partial<Flow> = {}): this {
    const { currentA, socPct, output, allowed, remainingMin } = { ...FLOW, ...flow };
    const demandA = flow.demandA ?? currentA;
    for (let passed = 0; passed < ms; passed += 50) {
      this.bcl(demandA).ccs(400, currentA, output);
      if (passed % 250 === 0) this.bsm(allowed).bcs(socPct, remainingMin);
      this.wait(50);
    }
    return this;
  }

  /** From the greeting to both being ready. */
  handshake(vin?: string, socPermille = 400): this {
    this.chm().bhm().wait(250).chm().bhm().wait(250);
    this.crm(false).brm(vin).wait(250).crm(true).bcp(socPermille).wait(250);
    return this.cts().cml().bro(false).wait(250).bro(true).cro().wait(250);
  }

  chm(): this {
    return this.#charger('1826', bytesOf([1, 1], [1, 2]));
  }

  bhm(): this {
    return this.#vehicle('1827', bytesOf([6030, 2]));
  }

  crm(recognised: boolean): this {
    return this.#charger('1801', bytesOf([recognised ? 0xaa : 0, 1], [0, 4], [0, 3]));
  }

  brm(vin = '', bytes: 41 | 49 = 49): this {
    const data = new Uint8Array(bytes);
    data.set(bytesOf([1, 1], [1, 2], [3, 1], [1800, 2], [4000, 2]));
    data.set(Buffer.from(vin, 'latin1').subarray(0, 17), VIN_START);
    return this.#long(0x02, data);
  }

  bcp(socPermille: number): this {
    return this.#long(
      0x06,
      bytesOf([420, 2], amperes(100), [600, 2], [6030, 2], [105, 1], [socPermille, 2], [3900, 2]),
    );
  }

  cts(): this {
    return this.#charger('1807', Uint8Array.from([0x30, 0x15, 0x08, 0x01, 0x03, 0x26, 0x20]));
  }

  cml(): this {
    return this.#charger('1808', bytesOf([7500, 2], [2000, 2], amperes(200), amperes(0)));
  }

  bro(ready: boolean): this {
    return this.#vehicle('1009', bytesOf([ready ? 0xaa : 0, 1]));
  }

  cro(): this {
    return this.#charger('100A', bytesOf([0xaa, 1]));
  }

  bcl(demandA: number): this {
    return this.#vehicle('1810', bytesOf([4100, 2], amperes(demandA), [2, 1]));
  }

  bcs(socPct: number, remainingMin = 30): this {
    return this.#long(0x11, bytesOf([4000, 2], amperes(20), [0x1173, 2], [socPct, 1], [remainingMin, 2]));
  }

  ccs(voltageV: number, currentA: number, output = 1): this {
    return this.#charger(
      '1812',
      bytesOf([voltageV * 10, 2], amperes(currentA), [1, 2], [0xfc | output, 1], [0xff, 1]),
    );
  }

  bsm(allowed: number): this {
    return this.#vehicle(
      '1813',
      bytesOf([1, 1], [75, 1], [1, 1], [74, 1], [1, 1], [0, 1], [0xc0 | (allowed << 4), 1]),
    );
  }

  bst(reason: number, faults = 0, errors = 0): this {
    return this.#vehicle('1019', bytesOf([reason, 1], [faults, 2], [0xf0 | errors, 1]));
  }

  cst(reason: number, faults = 0, errors = 0): this {
    return this.#charger('101A', bytesOf([reason, 1], [faults, 2], [0xf0 | errors, 1]));
  }

  bsd(socPct: number): this {
    return this.#vehicle('181C', bytesOf([socPct, 1], [370, 2], [410, 2], [74, 1], [76, 1]));
  }

  csd(energyWh: number): this {
    return this.#charger('181D', bytesOf([30, 2], [energyWh / 100, 2], [1, 4]));
  }

  bem(third: number): this {
    return this.#vehicle('081E', Uint8Array.from([0xf0, 0xf0, third, 0xfc]));
  }

  /** Whatever a stranger may put on the bus. */
  raw(identifierAndData: string): this {
    this.#lines.push(`(${(this.#atMs / 1000).toFixed(6)}) ${this.#bus} ${identifierAndData}`);
    return this;
  }

  #charger(start: string, data: Uint8Array): this {
    return this.raw(`${start}${FROM_CHARGER}#${hex(data)}`);
  }

  #vehicle(start: string, data: Uint8Array): this {
    return this.raw(`${start}${FROM_VEHICLE}#${hex(data)}`);
  }

  /** By the transport protocol, with the charger's part in it. */
  #long(format: number, data: Uint8Array): this {
    const packets = Math.ceil(data.length / 7);
    const group: readonly Part[] = [[format << 8, 3]];
    this.#vehicle('1CEC', bytesOf([16, 1], [data.length, 2], [packets, 1], [0xff, 1], ...group));
    this.#charger('1CEC', bytesOf([17, 1], [packets, 1], [1, 1], [0xffff, 2], ...group));
    for (let packet = 1; packet <= packets; packet += 1) {
      const part = new Uint8Array(8).fill(0xff);
      part[0] = packet;
      part.set(data.subarray((packet - 1) * 7, packet * 7), 1);
      this.#vehicle('1CEB', part);
    }
    return this.#charger('1CEC', bytesOf([19, 1], [data.length, 2], [packets, 1], [0xff, 1], ...group));
  }
}
