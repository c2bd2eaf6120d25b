import { describe, expect, it } from 'vitest'
import { ProbeReader } from '../../../../lib/backend/probe/protocol.ts'

const begin = (stage: string) => `${JSON.stringify({ stage, event: 'begin' })}\n`
const end = (stage: string, more: object = {}) =>
  `${JSON.stringify({ stage, event: 'end', ok: true, milliseconds: 2, ...more })}\n`

const hello = (token: string) => `${JSON.stringify({ hello: token })}\n`
/** A reader that has heard the first line. */
function greeted(now?: () => number): ProbeReader {
  const reader = new ProbeReader({ token: 'trial-1-a', ...(now && { now }) })
  reader.push(hello('trial-1-a'))
  return reader
}

describe('ProbeReader', () => {
  it('reads lines that arrive in pieces of any size', () => {
    const text =
      begin('add') +
      end('add', { error: 1e-9 }) +
      begin('norm') +
      end('norm', { weights: 'q4_K', unsupported: true })
    const whole = greeted()
    whole.push(text)
    const pieces = greeted()
    for (const letter of text) pieces.push(letter)
    expect(pieces.result()).toEqual(whole.result())
    expect(whole.result().stages).toEqual([
      { name: 'add', milliseconds: 2, ok: true, error: 1e-9 },
      { name: 'norm', milliseconds: 2, ok: true, weights: 'q4_K', unsupported: true },
    ])
  })

  it('tells that something has happened only for its own lines', () => {
    const reader = greeted()
    expect(reader.push('hip: some banner\n{"a":1}\nnull\n[]\n')).toBe(false)
    expect(reader.push('{"stage":"add","event":')).toBe(false)
    expect(reader.push('"begin"}\n')).toBe(true)
  })

  it('believes nothing before the token', () => {
    const reader = new ProbeReader({ token: 'trial-1-a' })
    expect(reader.push(hello('trial-1-a').slice(0, 5))).toBe(false)
    expect(reader).toMatchObject({ greeted: false, isStrange: false })
    reader.push(`${hello('trial-1-a').slice(5)}${begin('add')}`)
    expect(reader).toMatchObject({ greeted: true, isStrange: false })
    expect(reader.result().stages).toHaveLength(1)
  })

  it.each([hello('trial-1-b'), begin('add'), '\n', 'ready\n'])('knows a stranger by %j', (line) => {
    const reader = new ProbeReader({ token: 'trial-1-a' })
    reader.push(`${line}${hello('trial-1-a')}${end('release')}`)
    expect(reader).toMatchObject({ greeted: false, isStrange: true })
    expect(reader.result().stages).toEqual([])
  })

  it('keeps a stage that did not end, with the time until now', () => {
    let now = 100
    const reader = greeted(() => now)
    reader.push(begin('library') + end('library') + begin('devices'))
    now = 350
    expect(reader.result().stages.at(-1)).toEqual({ name: 'devices', milliseconds: 250, ok: false })
  })

  it('keeps the devices that HIP shows', () => {
    const devices = [{ name: 'ROCm0', description: 'x', pciId: '', memoryFree: 1, memoryTotal: 2 }]
    const reader = greeted()
    reader.push(begin('devices') + end('devices', { devices }))
    expect(reader.result().devices).toEqual(devices)
  })

  it('takes no number for an error that is none', () => {
    const reader = greeted()
    reader.push(end('add', { ok: false, error: null, problem: 'wrong numbers' }))
    expect(reader.result().stages).toEqual([
      { name: 'add', milliseconds: 2, ok: false, error: null, problem: 'wrong numbers' },
    ])
  })
})
