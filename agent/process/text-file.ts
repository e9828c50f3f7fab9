import { type Stats, rmSync, statSync, writeFileSync } from 'node:fs';

/** A read-only file for one text after the other; the same text twice in a row is written once, unless somebody touched it. */
export class TextFile {
  readonly #path: string;
  #text: string | undefined;
  #written: Stats | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Returns the path of a file with that text. */
  write(text: string): string {
    if (text === this.#text && this.#isUntouched()) return this.#path;
    rmSync(this.#path, { force: true });
    writeFileSync(this.#path, text, { mode: 0o444, flag: 'wx' });
    this.#text = text;
    this.#written = statSync(this.#path);
    return this.#path;
  }

  #isUntouched(): boolean {
    const now = statSync(this.#path, { throwIfNoEntry: false });
    return now?.ino === this.#written?.ino && now?.ctimeMs === this.#written?.ctimeMs;
  }
}
