/** Cuts a stream of bytes into lines of text, none longer than a bound. */
import { StringDecoder } from 'node:string_decoder';

/** A line of this many characters is longer than any frame that is read, quoted as JSON text. */
export const LINE_CHARS_MAX = 2 * 1024 * 1024;

export class BoundedLines {
  readonly #decoder = new StringDecoder('utf8');
  #begun = '';
  #isTooLong = false;

  /** The lines that ended in `chunk`; `undefined` stands for one that was too long. */
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
    if (this.#begun.length + part.length > LINE_CHARS_MAX) {
      this.#isTooLong = true;
      this.#begun = '';
    }
    if (!this.#isTooLong) this.#begun += part;
  }

  #takeLine(): string | undefined {
    const line = this.#isTooLong ? undefined : this.#begun;
    this.#begun = '';
    this.#isTooLong = false;
    return line;
  }
}
