/** What was foretold against what came, at one horizon. */

export interface Horizon {
  readonly minutes: number;
  /** Mean of |predicted − observed| over ten bins that hold equally many answers, the least probable first. */
  readonly calibrationError: number;
  /** Mean of (predicted − came)². */
  readonly brier: number;
  readonly brierPlain: number;
}

const BINS = 10;

export class Calibration {
  readonly minutes: number;
  readonly #answers: { readonly predicted: number; readonly came: number }[] = [];
  #squares = 0;
  #squaresPlain = 0;

  constructor(minutes: number) {
    this.minutes = minutes;
  }

  add(predicted: number, plain: number, stayed: boolean): void {
    const came = stayed ? 1 : 0;
    this.#answers.push({ predicted, came });
    this.#squares += (predicted - came) ** 2;
    this.#squaresPlain += (plain - came) ** 2;
  }

  horizon(): Horizon {
    const asked = this.#answers.length;
    const sorted = this.#answers.sort((a, b) => a.predicted - b.predicted);
    const bins = Array.from({ length: BINS }, (_, bin) =>
      sorted.slice(Math.floor((bin * asked) / BINS), Math.floor(((bin + 1) * asked) / BINS)),
    ).filter((bin) => bin.length > 0);
    const errors = bins.map((bin) =>
      Math.abs(mean(bin.map((a) => a.predicted)) - mean(bin.map((a) => a.came))),
    );
    return {
      minutes: this.minutes,
      calibrationError: mean(errors),
      brier: this.#squares / asked,
      brierPlain: this.#squaresPlain / asked,
    };
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
