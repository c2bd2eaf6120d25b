import { parse } from 'node:url'
import vm from 'node:vm'
import { JSDOM } from 'jsdom'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { AbortController as NodeController, onAbort, toNodeSignal } from '../../lib/abort.ts'
import { toLibraryError } from '../../lib/backend/native-error.ts'
import { WhisperHipError } from '../../lib/errors.ts'
import { isBlob, isDetached, isError, isErrorNamed, isUrl, messageOf, unshared } from '../../lib/kinds.ts'
import { unlessAborted } from '../../lib/unless-aborted.ts'

const { window } = new JSDOM('', { url: 'http://localhost/' })
afterAll(() => window.close())

/** Made in a realm of its own. */
const foreign = (code: string): unknown => vm.runInNewContext(code)

describe('an error', () => {
  it.each([
    ['of this realm', new TypeError('broken')],
    ['of another realm', foreign('new TypeError("broken")')],
    ['of this library', new WhisperHipError('ERR_INTERNAL', 'broken')],
    ['of Node', new DOMException('broken', 'AbortError')],
    ['of jsdom', new window.DOMException('broken', 'AbortError')],
  ])('%s is one', (_, error) => {
    expect(isError(error)).toBe(true)
    expect(messageOf(error)).toBe('broken')
  })

  it.each(['broken', undefined, null, { message: 'broken' }, new Proxy({}, {})])('%o is none', (value) => {
    expect(isError(value)).toBe(false)
  })

  it('is of a class by its name', () => {
    expect(isErrorNamed(foreign('new RangeError("x")'), 'RangeError')).toBe(true)
    expect(isErrorNamed(foreign('new TypeError("x")'), 'RangeError')).toBe(false)
    expect(isErrorNamed(new RangeError('x'), 'RangeError')).toBe(true)
  })

  it('of the addon in another realm becomes one of this library', () => {
    const native = foreign('Object.assign(new Error("no memory"), { code: "ERR_OUT_OF_MEMORY" })')
    const error = toLibraryError(native, {})
    expect(error).toBeInstanceOf(WhisperHipError)
    expect(error).toMatchObject({ code: 'ERR_OUT_OF_MEMORY', message: 'no memory', cause: native })
  })
})

describe('a URL', () => {
  it.each([
    ['of Node', new URL('file:///a.wav')],
    ['of jsdom', new window.URL('file:///a.wav')],
  ])('%s is one', (_, url) => {
    expect(isUrl(url)).toBe(true)
  })

  it.each([parse('file:///a.wav'), 'file:///a.wav', null, {}, { href: 'file:///a.wav' }])(
    '%o is none',
    (value) => {
      expect(isUrl(value)).toBe(false)
    },
  )
})

describe('a Blob', () => {
  it.each([
    ['of Node', new Blob(['x'])],
    ['of jsdom', new window.Blob(['x'])],
    ['that is a File of jsdom', new window.File(['x'], 'x.wav')],
  ])('%s is one', (_, blob) => {
    expect(isBlob(blob)).toBe(true)
  })

  it.each([{}, new Uint8Array(1), { samples: new Float32Array(1) }, { size: 1, type: 'x' }])(
    '%o is none',
    (value) => {
      expect(isBlob(value)).toBe(false)
    },
  )
})

describe('memory', () => {
  it.each([
    ['samples', () => new Float32Array(4)],
    ['bytes', () => new Uint8Array(4)],
    ['a view', () => new Uint8Array(8).subarray(4)],
    ['a buffer', () => new ArrayBuffer(8)],
  ])('that is %s is known to be transferred', (_, make) => {
    const memory = make()
    expect(isDetached(memory)).toBe(false)
    structuredClone(memory, { transfer: [ArrayBuffer.isView(memory) ? memory.buffer : memory] })
    expect(isDetached(memory)).toBe(true)
  })

  it.each([
    new Float32Array(0),
    new ArrayBuffer(0),
    new Uint8Array(new SharedArrayBuffer(8)),
    Buffer.alloc(0),
  ])('%o is there', (memory) => {
    expect(isDetached(memory)).toBe(false)
  })

  it('that was cut off is gone', () => {
    const Resizable = ArrayBuffer as unknown as new (
      length: number,
      options: object,
    ) => ArrayBuffer & { resize(length: number): void }
    const buffer = new Resizable(16, { maxByteLength: 16 })
    const view = new Float32Array(buffer, 8, 2)
    buffer.resize(8)
    expect(isDetached(view)).toBe(true)
    expect(isDetached(new Float32Array(buffer))).toBe(false)
  })
})

describe('shared memory', () => {
  it.each([
    ['bytes', (memory: SharedArrayBuffer) => new Uint8Array(memory, 4)],
    ['a Buffer', (memory: SharedArrayBuffer) => Buffer.from(memory, 4)],
    ['samples', (memory: SharedArrayBuffer) => new Float32Array(memory, 4)],
  ])('of %s is copied', (_, view) => {
    const memory = new SharedArrayBuffer(16)
    const copy = unshared(view(memory))
    new Uint8Array(memory).fill(1)
    expect(copy.buffer).toBeInstanceOf(ArrayBuffer)
    expect(copy).toHaveLength(view(memory).length)
    expect([...copy].every((value) => value === 0)).toBe(true)
  })

  it('is the only one that is', () => {
    const view = new Float32Array(4)
    expect(unshared(view)).toBe(view)
  })
})

describe('a signal', () => {
  it("of Node is taken as it is, and the class is Node's own", () => {
    const { signal } = new AbortController()
    expect(toNodeSignal(signal)).toBe(signal)
    expect(NodeController).toBe(AbortController)
  })

  const made = [
    ['of jsdom', () => new window.AbortController()],
    ['of a polyfill', () => new Polyfill()],
  ] as const

  it.each(made)('%s is followed', (_, make) => {
    const controller = make()
    const signal = toNodeSignal(controller.signal as unknown as AbortSignal)
    expect(signal).toBeInstanceOf(AbortSignal)
    expect(signal.aborted).toBe(false)
    const listener = vi.fn()
    onAbort(signal, listener)
    controller.abort('enough')
    expect(signal).toMatchObject({ aborted: true, reason: 'enough' })
    expect(listener).toHaveBeenCalledOnce()
  })

  it.each(made)('%s that has aborted already is taken as aborted', async (_, make) => {
    const controller = make()
    controller.abort('enough')
    const signal = toNodeSignal(controller.signal as unknown as AbortSignal)
    await expect(unlessAborted(new Promise(() => {}), signal)).rejects.toBe('enough')
  })

  it('is listened to once, however many jobs it is for', () => {
    const { signal } = new Polyfill()
    const spy = vi.spyOn(signal, 'addEventListener')
    const followers = new Set(
      Array.from({ length: 100 }, () => toNodeSignal(signal as unknown as AbortSignal)),
    )
    expect(followers.size).toBe(1)
    expect(spy).toHaveBeenCalledOnce()
  })

  it('without a reason aborts with one', () => {
    const { signal } = new Polyfill()
    const follower = toNodeSignal(signal as unknown as AbortSignal)
    signal.abort(undefined)
    expect(follower.reason).toMatchObject({ name: 'AbortError' })
  })
})

/** The least that is called an AbortController. */
class Polyfill {
  readonly signal = new PolyfilledSignal()

  abort(reason: unknown): void {
    this.signal.abort(reason)
  }
}

class PolyfilledSignal extends EventTarget {
  aborted = false
  reason: unknown

  abort(reason: unknown): void {
    this.aborted = true
    this.reason = reason
    this.dispatchEvent(new Event('abort'))
  }
}
