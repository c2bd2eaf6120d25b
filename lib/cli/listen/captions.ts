import type { StreamEvent } from '../../stream/types.ts'
import type { Style } from '../style.ts'
import { neutral } from './neutral.ts'
import type { View } from './views.ts'
import { wrap } from './wrap.ts'

/** The size of a terminal; 0 or undefined where it does not know it. */
export interface Size {
  readonly columns?: number | undefined
  readonly rows?: number | undefined
}

/** Text that is not final. */
interface Unfinished {
  /** Absent where nothing has been understood yet. */
  utterance?: number
  committed: string
  tentative: string
}

const speech: Unfinished = { committed: '', tentative: '…' }

/** A stream that is so far behind says so, in seconds. */
const lagToTell = 5

/**
 * Live captions at the bottom of a terminal: what has been committed of an utterance bold, the rest dim. Final text scrolls up.
 *
 * The cursor waits at the beginning of the unfinished text. Wherever the terminal moves that when its window changes, what follows
 * can be erased without knowing how many rows it takes.
 */
export class Captions implements View {
  readonly #size: Size
  readonly #style: Style
  readonly #live: boolean
  #unfinished: Unfinished | null = null
  #lag = 0
  #drawn = ''

  /** @param live whether it matters how far the text is behind the sound */
  constructor(size: Size, style: Style, live: boolean) {
    this.#size = size
    this.#style = style
    this.#live = live
  }

  show(event: StreamEvent): string {
    switch (event.type) {
      case 'speech-start':
        this.#unfinished ??= speech
        break
      case 'partial':
        this.#unfinished = event
        break
      case 'speech-end':
        if (this.#unfinished === speech) this.#unfinished = null
        break
      case 'final':
        if (this.#unfinished?.utterance === event.utterance) this.#unfinished = null
        return this.clear() + this.#finalText(event.text) + this.#draw()
      case 'stats':
        this.#lag = event.lag
    }
    return this.#draw()
  }

  redraw(): string {
    return this.clear() + this.#draw()
  }

  clear(): string {
    if (this.#drawn === '') return ''
    this.#drawn = ''
    return '\r\x1b[J'
  }

  #finalText(text: string): string {
    const line = neutral(text)
    return wrap(line, this.#columns)
      .map(({ start, end }) => `${line.slice(start, end)}\n`)
      .join('')
  }

  #draw(): string {
    const rows = this.#rows()
    const up = rows.length > 1 ? `\x1b[${rows.length - 1}A` : ''
    const drawn = rows.length === 0 ? '' : `${rows.join('\n')}${up}\r`
    if (drawn === this.#drawn) return ''
    const text = this.clear() + drawn
    this.#drawn = drawn
    return text
  }

  /** The last rows of the unfinished text: as many as the cursor can go back over. */
  #rows(): string[] {
    if (this.#unfinished === null) return []
    const committed = neutral(this.#unfinished.committed)
    const text = committed + neutral(this.#unfinished.tentative) + this.#delay
    const lines = wrap(text, this.#columns).slice(-Math.max((this.#size.rows || 24) - 1, 1))
    return lines.map(({ start, end }) => {
      const border = Math.min(Math.max(committed.length, start), end)
      return this.#styled('bold', text.slice(start, border)) + this.#styled('dim', text.slice(border, end))
    })
  }

  get #delay(): string {
    return !this.#live || this.#lag < lagToTell ? '' : ` [${Math.round(this.#lag)} s behind]`
  }

  /** A terminal that does not know its size says 0. The last column stays free: what a full line does there differs. */
  get #columns(): number {
    return Math.max((this.#size.columns || 80) - 1, 1)
  }

  #styled(name: 'bold' | 'dim', text: string): string {
    return text === '' ? '' : this.#style(name, text)
  }
}
