import { afterEach, describe, expect, it, vi } from 'vitest'
import { attachLogSource, type LogEntry, log, setLogger } from '../../../lib/log.ts'

/** A fake of the addon's log: prints what the test says. */
class FakeLogSource {
  print: ((level: number, text: string) => void) | null = null
  setLogSink(sink: ((level: number, text: string) => void) | null): void {
    this.print = sink
  }
}

function listen() {
  const source = new FakeLogSource()
  const entries: LogEntry[] = []
  attachLogSource(source)
  setLogger((entry) => entries.push(entry))
  return { source, entries, print: (level: number, text: string) => source.print?.(level, text) }
}

afterEach(() => {
  setLogger(null)
  vi.restoreAllMocks()
})

describe('setLogger', () => {
  it('is silent by default, and then the addon does not even send', () => {
    const source = new FakeLogSource()
    attachLogSource(source)
    expect(source.print).toBeNull()
    setLogger(() => {})
    expect(source.print).not.toBeNull()
    setLogger(null)
    expect(source.print).toBeNull()
  })

  it('serves an addon that is loaded later', () => {
    const entries: LogEntry[] = []
    setLogger((entry) => entries.push(entry))
    const source = new FakeLogSource()
    attachLogSource(source)
    source.print?.(4, 'bad\n')
    expect(entries).toEqual([{ level: 'error', message: 'bad' }])
  })

  it('joins pieces into lines', () => {
    const { entries, print } = listen()
    print(2, 'loading ')
    print(5, '1')
    print(5, '2\nnext\r\n\n')
    print(1, 'a\nb')
    expect(entries).toEqual([
      { level: 'info', message: 'loading 12' },
      { level: 'info', message: 'next' },
      { level: 'debug', message: 'a' },
    ])
    print(1, '\n')
    expect(entries.at(-1)).toEqual({ level: 'debug', message: 'b' })
  })

  it('ends a line where the level changes', () => {
    const { entries, print } = listen()
    print(2, 'half a line')
    print(3, 'careful\n')
    expect(entries).toEqual([
      { level: 'info', message: 'half a line' },
      { level: 'warn', message: 'careful' },
    ])
  })

  it('delivers what is left of a line before the logger changes, and bounds a line without end', () => {
    const { entries, print } = listen()
    print(2, 'tail')
    setLogger(null)
    expect(entries).toEqual([{ level: 'info', message: 'tail' }])
    const endless = listen()
    for (let i = 0; i < 100; i++) endless.print(2, 'x'.repeat(1000))
    expect(endless.entries.length).toBeGreaterThan(0)
  })

  it('takes entries of the library itself', () => {
    const { entries } = listen()
    log('warn', 'look here')
    expect(entries).toEqual([{ level: 'warn', message: 'look here' }])
  })

  it('reports a logger that throws once, and goes on', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const source = new FakeLogSource()
    attachLogSource(source)
    let calls = 0
    setLogger(() => {
      calls++
      throw new Error('disk full')
    })
    source.print?.(2, 'a\nb\nc\n')
    expect(calls).toBe(3)
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.calls[0]?.[0]).toBe('The logger threw: disk full')
  })

  it.each([undefined, {}, 'console'])('refuses %s', (logger) => {
    expect(() => setLogger(logger as never)).toThrow(/Expected a function or null for logger but received/)
  })
})
