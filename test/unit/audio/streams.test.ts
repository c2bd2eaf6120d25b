import { getEventListeners } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { prepareAudio } from '../../../lib/audio/sources.ts'
import type { AudioInput } from '../../../lib/audio/types.ts'
import { FakeByteStore } from './fake-byte-store.ts'

const native = { ByteStore: FakeByteStore }
const never = new AbortController().signal
const prepare = (input: unknown, signal = never) => prepareAudio(input as AudioInput, native, signal)

const file = new Uint8Array(3_000_000)
file.set(Buffer.from('fLaC'))
file.fill(7, 100)

async function storedBytes(input: unknown): Promise<Uint8Array> {
  const { source, decodeSeconds } = await prepare(input)
  if (source.kind !== 'bytes') throw new Error(`a ${source.kind}`)
  expect(decodeSeconds).toBe(0)
  const store = source.store as FakeByteStore
  expect(store.largest).toBeLessThanOrEqual(1 << 20)
  return store.bytes()
}

async function* pieces(size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size)
}

const shared = new Uint8Array(new SharedArrayBuffer(file.length))
shared.set(file)

describe('the bytes of a file', () => {
  it.each<[string, () => unknown]>([
    ['a Uint8Array', () => file],
    ['a Buffer', () => Buffer.from(file)],
    [
      'a view into a buffer',
      () => Buffer.concat([Buffer.alloc(13), file, Buffer.alloc(5)]).subarray(13, 13 + file.length),
    ],
    ['an ArrayBuffer', () => file.slice().buffer],
    ['a SharedArrayBuffer', () => shared.buffer],
    ['a view of shared memory', () => shared],
    ['a Blob', () => new Blob([file])],
    ['a Node stream', () => Readable.from(pieces())],
    ['a Node stream of tiny chunks', () => Readable.from(pieces(997))],
    ['a Node stream of huge chunks', () => Readable.from(pieces(2_999_999))],
    ['a web stream', () => Readable.toWeb(Readable.from(pieces()))],
    ['the body of a response', () => new Response(file).body],
    ['an async generator', () => pieces()],
  ])('from %s', async (_, make) => {
    expect(Buffer.compare(await storedBytes(make()), file)).toBe(0)
  })

  it('refuses none', async () => {
    const message = 'there are no bytes'
    await expect(prepare(new Uint8Array(0))).rejects.toThrow(`Cannot decode the audio bytes: ${message}`)
    await expect(prepare(new Blob([]))).rejects.toMatchObject({ code: 'ERR_AUDIO_DECODE' })
    await expect(prepare(Readable.from([]))).rejects.toThrow(`Cannot decode the audio stream: ${message}`)
  })

  it('says what it is instead', async () => {
    await expect(prepare(Buffer.from('<!doctype html><p>404'))).rejects.toMatchObject({
      code: 'ERR_AUDIO_DECODE',
      message: 'Cannot decode the audio bytes: it is an HTML page',
    })
  })

  it('refuses other chunks', async () => {
    const text = Readable.from(['abc', 'def'])
    await expect(prepare(text)).rejects.toThrow(
      'Expected a Uint8Array for chunk 0 of the audio stream but received "abc" of type string',
    )
    expect(text.destroyed).toBe(true)
    async function* mixed() {
      yield file.subarray(0, 5000)
      yield new Float32Array(4)
    }
    await expect(prepare(mixed())).rejects.toThrow('a Uint8Array for chunk 1 of the audio stream')
  })
})

describe('a stream', () => {
  it('that fails rejects, with its error as the cause', async () => {
    const cause = new Error('connection reset')
    async function* broken() {
      yield file.subarray(0, 10_000)
      throw cause
    }
    for (const stream of [broken(), Readable.from(broken()), Readable.toWeb(Readable.from(broken()))]) {
      await expect(prepare(stream)).rejects.toMatchObject({
        code: 'ERR_AUDIO_DECODE',
        message: 'Cannot decode the audio stream: connection reset',
        cause,
      })
    }
  })

  it('that hangs is aborted at once, and stopped', async () => {
    const node = new PassThrough()
    node.write(file.subarray(0, 10_000))
    let cancelled: unknown
    const web = new ReadableStream({
      start: (controller) => controller.enqueue(file.subarray(0, 10_000)),
      cancel: () => {
        cancelled = true
      },
    })
    let returned = false
    const iterable = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          returned = true
          return { done: true, value: undefined }
        },
      }),
    }
    for (const stream of [node, web, iterable]) {
      const controller = new AbortController()
      const preparing = prepare(stream, controller.signal)
      setTimeout(() => controller.abort(new Error('stop')), 10)
      await expect(preparing).rejects.toThrow('stop')
      expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    }
    expect([node.destroyed, cancelled, returned]).toEqual([true, true, true])
  })

  it('that somebody else reads is refused', async () => {
    const stream = Readable.toWeb(Readable.from(pieces()))
    stream.getReader()
    await expect(prepare(stream)).rejects.toThrow('a stream that nobody else reads for audio')
  })

  it('that never waits does not hold the event loop', async () => {
    const chunk = new Uint8Array(1 << 18)
    chunk.set(Buffer.from('fLaC'))
    async function* eager() {
      for (let i = 0; i < 400; i++) yield chunk
    }
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const { source } = await prepare(eager())
    clearInterval(timer)
    expect(source.kind === 'bytes' && source.store.byteLength).toBe(400 << 18)
    expect(turns).toBeGreaterThan(2)
  })
})
