import { performance } from 'node:perf_hooks'

const WIDTH = 24
const INTERVAL = 100

/** What a terminal offers, as far as it is used. */
export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** A bar on the last line of a terminal. Elsewhere it is never drawn. */
export class Progress {
  readonly #terminal: Terminal
  #drawn = ''
  #next = 0

  constructor(terminal: Terminal = process.stderr) {
    this.#terminal = terminal
  }

  /**
   * Draws the bar, ten times a second at most.
   * @param fraction 0..1, or null while it is not known
   */
  show(label: string, fraction: number | null, detail = ''): void {
    if (this.#terminal.isTTY !== true) return
    const now = performance.now()
    if (now < this.#next && fraction !== 1) return
    this.#next = now + INTERVAL
    const line = `${label} ${bar(fraction)}${detail === '' ? '' : ` ${detail}`}`
    // A terminal that does not know its size says 0.
    const columns = this.#terminal.columns || 80
    // A line that wraps could not be erased again.
    const text = line.length < columns ? line : line.slice(0, Math.max(columns - 1, 0))
    if (text === this.#drawn) return
    this.#drawn = text
    this.#terminal.write(`\r\x1b[K${text}`)
  }

  /** Takes the bar away, so that something else can be written. */
  clear(): void {
    if (this.#drawn === '') return
    this.#drawn = ''
    this.#next = 0
    this.#terminal.write('\r\x1b[K')
  }
}

function bar(fraction: number | null): string {
  if (fraction === null) return '…'
  const full = Math.round(Math.min(Math.max(fraction, 0), 1) * WIDTH)
  const percent = String(Math.floor(fraction * 100)).padStart(3)
  return `[${'#'.repeat(full)}${'-'.repeat(WIDTH - full)}] ${percent} %`
}
