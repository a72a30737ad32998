/** Cuts a stream of bytes into lines of text, none longer than a bound. */
import { StringDecoder } from 'node:string_decoder';

export class BoundedLines {
  readonly #charsMax: number;
  readonly #decoder = new StringDecoder('utf8');
  #begun = '';
  #isTooLong = false;

  constructor(charsMax: number) {
    this.#charsMax = charsMax;
  }

  /** Whether the line under way is too long already: nothing more of it is kept. */
  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  /** The lines that ended in `chunk`, without their ends; `undefined` stands for one that was too long. */
  push(chunk: Uint8Array): readonly (string | undefined)[] {
    const parts = this.#decoder.write(chunk).split('\n');
    const lines: (string | undefined)[] = [];
    parts.forEach((part, index) => {
      if (index > 0) lines.push(this.#takeLine());
      this.#append(part);
    });
    return lines;
  }

  /** What stands after the last line end; absent where nothing does. */
  end(): readonly (string | undefined)[] {
    return this.#begun === '' && !this.#isTooLong ? [] : [this.#takeLine()];
  }

  #append(part: string): void {
    if (this.#begun.length + part.length > this.#charsMax) {
      this.#isTooLong = true;
      this.#begun = '';
    }
    if (!this.#isTooLong) this.#begun += part;
  }

  #takeLine(): string | undefined {
    const line = this.#isTooLong ? undefined : this.#begun;
    this.#begun = '';
    this.#isTooLong = false;
    return line?.endsWith('\r') === true ? line.slice(0, -1) : line;
  }
}
