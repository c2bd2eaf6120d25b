import xterm from '@xterm/headless'
import { describe, expect, it } from 'vitest'
import { Captions } from '../../../../lib/cli/listen/captions.ts'
import { plain, styleFor } from '../../../../lib/cli/style.ts'
import type { StreamEvent } from '../../../../lib/stream/types.ts'
import { final, partial } from './events.ts'

const colours = styleFor({ isTTY: true }, {})

/** Captions on a real terminal emulator without a window. */
class Screen {
  readonly size: { columns: number; rows: number }
  readonly captions: Captions
  readonly #terminal: InstanceType<typeof xterm.Terminal>

  constructor({ columns = 20, rows = 6, live = true, style = colours } = {}) {
    this.size = { columns, rows }
    this.captions = new Captions(this.size, style, live)
    this.#terminal = new xterm.Terminal({ cols: columns, rows, convertEol: true, allowProposedApi: true })
  }

  async show(...events: StreamEvent[]): Promise<void> {
    for (const event of events) await this.write(this.captions.show(event))
  }

  write(text: string): Promise<void> {
    return new Promise((resolve) => this.#terminal.write(text, resolve))
  }

  async resize(columns: number, rows: number): Promise<void> {
    this.#terminal.resize(columns, rows)
    Object.assign(this.size, { columns, rows })
    await this.write(this.captions.redraw())
  }

  /** Everything that was written, what scrolled out of the window included, without empty lines at the end. */
  get lines(): string[] {
    const { active } = this.#terminal.buffer
    const lines = Array.from(
      { length: active.length },
      (_, i) => active.getLine(i)?.translateToString(true) ?? '',
    )
    while (lines.at(-1) === '') lines.pop()
    return lines
  }

  /** The parts of a line in a style. */
  marked(line: number, style: 'bold' | 'dim'): string {
    const cells = this.#terminal.buffer.active.getLine(line)
    return Array.from({ length: this.size.columns }, (_, x) => {
      const cell = cells?.getCell(x)
      return (style === 'bold' ? cell?.isBold() : cell?.isDim()) ? (cell?.getChars() ?? '') : ''
    }).join('')
  }
}

const start: StreamEvent = { type: 'speech-start', time: 0 }
const end: StreamEvent = { type: 'speech-end', time: 1 }
const stats = (lag: number): StreamEvent => ({
  type: 'stats',
  lag,
  realTimeFactor: 1,
  bufferedSeconds: 0,
  gpuNodes: 0,
  cpuNodes: 9,
})

describe('captions', () => {
  it('show committed text bold, the rest dim, in one place', async () => {
    const screen = new Screen()
    await screen.show(partial('', 'ask'), partial('ask', ' not wet'))
    expect(screen.lines).toEqual(['ask not wet'])
    expect([screen.marked(0, 'bold'), screen.marked(0, 'dim')]).toEqual(['ask', ' not wet'])
    await screen.show(partial('ask not', ' what'))
    expect(screen.lines).toEqual(['ask not what'])
  })

  it('scroll final text up as plain lines', async () => {
    const screen = new Screen()
    await screen.show(partial('ask', ' not'), final('Ask not.'), partial('ask', ' what', 1))
    expect(screen.lines).toEqual(['Ask not.', 'ask what'])
    expect(screen.marked(0, 'bold') + screen.marked(0, 'dim')).toBe('')
    await screen.show(final('Ask what.', { utterance: 1 }))
    expect(screen.lines).toEqual(['Ask not.', 'Ask what.'])
  })

  it('wrap between words, and mark each row', async () => {
    const screen = new Screen()
    await screen.show(partial('ask not what your', ' country can do for you'))
    expect(screen.lines).toEqual(['ask not what your', 'country can do for', 'you'])
    expect([screen.marked(0, 'bold'), screen.marked(1, 'dim')]).toEqual([
      'ask not what your',
      'country can do for',
    ])
    await screen.show(partial('ask', ''))
    expect(screen.lines).toEqual(['ask'])
    await screen.show(final('ask not what your country can do for you'))
    expect(screen.lines).toEqual(['ask not what your', 'country can do for', 'you'])
  })

  it('wrap wide and combining characters', async () => {
    const screen = new Screen({ columns: 11 })
    await screen.show(partial('日本語の文章', 'です。'))
    for (const line of screen.lines) expect(line.length).toBeLessThanOrEqual(5)
    expect(screen.lines.join('')).toBe('日本語の文章です。')
    await screen.show(final('cafe\u0301 cafe\u0301 au lait'))
    expect(screen.lines).toEqual(['cafe\u0301 cafe\u0301', 'au lait'])
  })

  it('show the end of what does not fit into the window, and leave no traces', async () => {
    const screen = new Screen({ columns: 5, rows: 4 })
    const words = ['one', 'two', 'three', 'four', 'five', 'six']
    for (let i = 1; i <= words.length; i++) await screen.show(partial(words.slice(0, i).join(' '), ''))
    expect(screen.lines).toEqual(['four', 'five', 'six'])
    await screen.show(final(words.join(' ')))
    expect(screen.lines).toEqual(['one', 'two', 'thre', 'e', 'four', 'five', 'six'])
  })

  it.each([
    [30, 6],
    [20, 3],
    [20, 12],
    [60, 2],
  ])('follow the window to %d × %d', async (columns, rows) => {
    const screen = new Screen()
    await screen.show(final('The first.'), partial('ask not what your', ' country can do', 1))
    await screen.resize(columns, rows)
    await screen.show(partial('ask not what your country', ' can do for', 1))
    expect(screen.lines.join(' ').match(/\bask\b/g)).toHaveLength(1)
    await screen.show(final('Ask not.', { utterance: 1 }))
    expect(screen.lines.join(' ')).toBe('The first. Ask not.')
  })

  // The emulator moves the cursor along when rows below it wrap. Most terminals do not; then nothing of the old text is left.
  it.each([
    [12, 6],
    [7, 12],
  ])('never take final text away when the window shrinks to %d × %d', async (columns, rows) => {
    const screen = new Screen()
    await screen.show(final('The first.'), partial('ask not what your', ' country can do', 1))
    await screen.resize(columns, rows)
    await screen.show(final('Ask not.', { utterance: 1 }))
    expect(screen.lines.join('').replaceAll(' ', '')).toMatch(/^Thefirst\..*Asknot\.$/)
  })

  it('tell of speech before there are words', async () => {
    const screen = new Screen()
    await screen.show(start)
    expect(screen.lines).toEqual(['…'])
    await screen.show(end)
    expect(screen.lines).toEqual([])
    await screen.show(start, partial('', 'ask'), end)
    expect(screen.lines).toEqual(['ask'])
  })

  it('keep an utterance while the one before becomes final', async () => {
    const screen = new Screen()
    await screen.show(partial('one', ''), end, partial('two', '', 1), final('One.'))
    expect(screen.lines).toEqual(['One.', 'two'])
  })

  it('take text back of which nothing was left', async () => {
    const screen = new Screen()
    await screen.show(partial('', 'you'), final('', { words: [] }))
    expect(screen.lines).toEqual([])
  })

  it('say when live text is far behind', async () => {
    const screen = new Screen({ columns: 40 })
    await screen.show(partial('ask', ''), stats(2))
    expect(screen.lines).toEqual(['ask'])
    await screen.show(stats(7.4))
    expect(screen.lines).toEqual(['ask [7 s behind]'])
    const recording = new Screen({ columns: 40, live: false })
    await recording.show(partial('ask', ''), stats(7.4))
    expect(recording.lines).toEqual(['ask'])
  })

  it('write nothing where nothing has changed', () => {
    const { captions } = new Screen()
    expect(captions.show(partial('ask', ' not'))).not.toBe('')
    expect(captions.show(partial('ask', ' not'))).toBe('')
    expect(captions.show(stats(0))).toBe('')
  })

  it('can be taken away and come back', async () => {
    const screen = new Screen()
    await screen.show(partial('ask not what your country', ''))
    await screen.write(screen.captions.clear())
    expect(screen.lines).toEqual([])
    expect(screen.captions.clear()).toBe('')
    await screen.write(screen.captions.redraw())
    expect(screen.lines).toEqual(['ask not what your', 'country'])
  })

  it('control the terminal in their own way only', () => {
    const { captions } = new Screen({ style: plain })
    const hostile = '\x1b[2J\x1b]0;title\x07evil\r\n\x9b31m'
    const written =
      captions.show(partial(hostile, hostile)) +
      captions.show(final(hostile)) +
      captions.show(partial('', hostile))
    expect(written.replaceAll('\r', '').replaceAll('\n', '').replaceAll('\x1b[J', '')).not.toMatch(/\p{Cc}/u)
    expect(written).toContain('evil')
  })

  it('have no marks without colours', () => {
    const { captions } = new Screen({ style: plain })
    expect(captions.show(partial('ask', ' not'))).toBe('ask not\r')
  })

  it.each([{}, { columns: 0, rows: 0 }])('are drawn on a terminal of unknown size: %j', (size) => {
    const drawn = new Captions(size, plain, true).show(partial('word '.repeat(20).trim(), ''))
    expect(drawn.replaceAll('\x1b', '<')).toBe(
      `${'word '.repeat(16).trim()}\n${'word '.repeat(4).trim()}<[1A\r`,
    )
  })
})
