import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Handshake } from '../../../lib/isolation/handshake.ts'
import { OutputTail } from '../../../lib/isolation/output-tail.ts'
import { protocolVersion } from '../../../lib/isolation/protocol.ts'

// Fake timers replace the globals, which the library does not use.
vi.mock('node:timers', () => ({
  setTimeout: (...args: Parameters<typeof setTimeout>) => globalThis.setTimeout(...args),
  setImmediate: (run: () => void) => globalThis.setImmediate(run),
  clearTimeout: (timer: NodeJS.Timeout) => globalThis.clearTimeout(timer),
}))
beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function begin() {
  const killed: string[] = []
  const done: string[] = []
  const handshake = new Handshake((because) => killed.push(because), 15)
  handshake.afterwards(() => done.push('first'))
  const hello = { type: 'hello', token: handshake.token, protocol: protocolVersion }
  return { handshake, killed, done, hello }
}
function death(code: number | null, signal: NodeJS.Signals | null, output = '') {
  const tail = new OutputTail(() => {})
  tail.write(output)
  return { code, signal, output: tail }
}

describe('the handshake', () => {
  it('lets nothing through before the token, and all in its order after it', () => {
    const { handshake, killed, done, hello } = begin()
    handshake.afterwards(() => done.push('second'))
    expect(done).toEqual([])
    handshake.receive(hello)
    handshake.afterwards(() => done.push('third'))
    vi.advanceTimersByTime(60_000)
    expect({ done, killed }).toEqual({ done: ['first', 'second', 'third'], killed: [] })
    expect(handshake.done).toBe(true)
    expect(handshake.problemAt(death(1, null))).toBeUndefined()
  })

  it.each([
    ['a message of the application', { type: 'ready' }],
    ['another token', { type: 'hello', token: 'x', protocol: protocolVersion }],
    ['an answer to a job', { type: 'done', job: 1, value: 1 }],
    ['text', 'hello'],
    ['null', null],
    ['nothing', undefined],
  ])('knows a stranger by %s, and listens to it no more', (_, message) => {
    const { handshake, killed, done, hello } = begin()
    handshake.receive(message)
    handshake.receive(hello)
    expect({ done, killed }).toEqual({ done: [], killed: ['it answered something else'] })
    expect(handshake.problemAt(death(null, 'SIGKILL'))).toBe('it answered something else')
  })

  it('knows one that says nothing, once', () => {
    const { handshake, killed } = begin()
    vi.advanceTimersByTime(14_999)
    expect(killed).toEqual([])
    vi.advanceTimersByTime(60_000)
    expect(killed).toEqual(['it did not answer within 15 s'])
    expect(handshake.problemAt(death(null, 'SIGKILL'))).toBe('it did not answer within 15 s')
  })

  it('takes another version of the package for what it is', () => {
    const { handshake, killed, hello } = begin()
    handshake.receive({ ...hello, protocol: protocolVersion + 1 })
    expect(killed).toEqual([expect.stringContaining('the package whisper-hip was replaced')])
    expect(handshake.problemAt(death(null, 'SIGKILL'))).toBeUndefined()
  })

  it('tells an application that ends from a Node that cannot start, and from a signal', () => {
    const { handshake } = begin()
    handshake.stop()
    const node = 'Error: no such module\n    at x\n\nNode.js v20.20.2\n'
    expect(handshake.problemAt(death(0, null))).toBe('it ended with code 0 and did not answer')
    expect(handshake.problemAt(death(9, null, 'unknown option'))).toMatch(/ended with code 9/)
    expect(handshake.problemAt(death(1, null, node))).toBeUndefined()
    expect(handshake.problemAt(death(1, null, `WhisperHipError: HOST_NOT_NODE\n${node}`))).toMatch(
      /ended with code 1/,
    )
    expect(handshake.problemAt(death(null, 'SIGTERM'))).toBeUndefined()
  })
})
