/** Cuts what comes in into lines, and keeps no more of a line without end than a line may have. */
import { LINE_CHARS_MAX } from './candump-line.ts';

export class LineSplitter {
  #rest = '';
  /** The line under way is too long already: its end is waited for, and it is handed on cut. */
  #overlong = false;

  /** The lines that are whole by now, without their ends. */
  *push(chunk: Uint8Array): Generator<string> {
    // One byte a character: candump writes ASCII, and whatever else comes must not be believed to be it.
    const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      const line = this.#rest + text.slice(start, end);
      this.#rest = '';
      this.#overlong = false;
      start = end + 1;
      yield line.endsWith('\r') ? line.slice(0, -1) : line;
    }
    if (!this.#overlong) this.#keep(text.slice(start));
  }

  /** What came after the last line's end. */
  *end(): Generator<string> {
    if (this.#rest !== '') yield this.#rest;
    this.#rest = '';
  }

  #keep(text: string): void {
    this.#rest += text;
    if (this.#rest.length <= LINE_CHARS_MAX) return;
    this.#rest = this.#rest.slice(0, LINE_CHARS_MAX + 1);
    this.#overlong = true;
  }
}
