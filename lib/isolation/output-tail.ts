/** How much of what a process wrote is kept to be searched, and how much of it is shown, in UTF-16 units. */
const kept = 65_536
const shown = 4096

/** What a process writes to its standard streams: its lines as they come, and the end of it all. */
export class OutputTail {
  readonly #onLine: (line: string) => void
  #all = ''
  #line = ''

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  /** The last 4096 characters. */
  get tail(): string {
    return this.#all.slice(-shown).trim()
  }

  /** The last line of which something is true. */
  find(isIt: (line: string) => boolean): string | undefined {
    return this.#all.split('\n').findLast(isIt)?.trim()
  }

  write(text: string): void {
    this.#all = (this.#all + text).slice(-kept)
    const lines = (this.#line + text).split('\n')
    this.#line = lines.pop() ?? ''
    // A line that never ends is cut.
    if (this.#line.length > shown) lines.push(this.#takeLine())
    for (const line of lines) this.#deliver(line)
  }

  /** Delivers the line that has no end. */
  end(): void {
    this.#deliver(this.#takeLine())
  }

  #takeLine(): string {
    const line = this.#line
    this.#line = ''
    return line
  }

  #deliver(line: string): void {
    const text = line.trimEnd()
    if (text !== '') this.#onLine(text)
  }
}
