import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Model } from '../../lib/index.ts'
import { useDomGlobals } from '../fixtures/dom-globals.ts'
import { cpu, greedy, hum, rejection, speaking, temporaryPath, writeTemporary } from './support.ts'
import { buildWav } from './wav.ts'

/** In a test runner with jsdom, AbortController, Blob, URL, timers and others are not Node's. */

const sentence = 'The quick brown fox jumps over the lazy dog.'
const bytes = speaking({ script: [{ text: ` ${sentence}`, start: 0, end: 29 }], multilingual: true })
const sound = hum(5)
const wav = buildWav({ format: 3, bits: 32, data: new Uint8Array(sound.buffer) })
const path = writeTemporary('speech.wav', wav)

let library: typeof import('../../lib/index.ts')
let model: Model
let restore: () => void

beforeAll(async () => {
  restore = useDomGlobals()
  library = await import('../../lib/index.ts')
  model = await library.loadModel(bytes, cpu)
})

afterAll(async () => {
  await model.dispose()
  restore()
})

describe('with the globals of jsdom', () => {
  it.each<[string, () => Parameters<Model['transcribe']>[0]]>([
    ['samples', () => sound],
    ['samples with their rate', () => ({ samples: sound, sampleRate: 16_000, channels: 1 })],
    ['a path', () => path],
    ["a URL of jsdom's", () => new URL(pathToFileURL(path).href)],
    ["a Blob of jsdom's", () => new Blob([new Uint8Array(wav)])],
    ['bytes', () => wav],
  ])('%s are transcribed', async (_, audio) => {
    expect((await model.transcribe(audio(), greedy)).text).toBe(sentence)
  })

  it("a signal of jsdom's ends a job with its reason", async () => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const job = model.transcribe(hum(300), { ...greedy, signal: controller.signal })
    controller.abort(reason)
    expect(await rejection(job)).toBe(reason)
    expect(await rejection(model.transcribe(sound, { signal: controller.signal }))).toBe(reason)
    expect(await rejection(model.detectLanguage(sound, { signal: controller.signal }))).toBe(reason)
    expect(await rejection(library.loadModel(bytes, { ...cpu, signal: controller.signal }))).toBe(reason)
    expect(await rejection(library.detectSpeech(sound, { signal: controller.signal }))).toBe(reason)
    expect(await rejection(library.backendInfo({ signal: controller.signal }))).toBe(reason)
  })

  it("a signal of jsdom's that does not abort disturbs nothing", async () => {
    const { signal } = new AbortController()
    const loaded = await library.loadModel(bytes, { ...cpu, signal })
    expect((await loaded.transcribe(sound, { ...greedy, signal })).text).toBe(sentence)
    expect((await loaded.detectLanguage(sound, { signal })).language).toBeTypeOf('string')
    await loaded.dispose()
    expect((await library.detectSpeech(sound, { signal })).duration).toBeCloseTo(5)
    const once = library.transcribe(sound, { ...greedy, model: bytes, backend: 'cpu', signal })
    expect((await once).text).toBe(sentence)
  })

  it('audio is streamed, and a signal ends it', async () => {
    const stream = model.stream({ format: 'f32le', vad: false, language: 'en' })
    stream.end(new Uint8Array(sound.buffer))
    const finals: string[] = []
    for await (const event of stream) if (event.type === 'final') finals.push(event.text)
    expect(finals.join(' ')).toContain('quick brown fox')
    const controller = new AbortController()
    const ended = model.stream({ signal: controller.signal })
    const failure = new Promise((resolve) => ended.once('error', resolve))
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await failure).toBe(reason)
  })

  it('the machine is looked at', async () => {
    expect((await library.backendInfo()).active).toBe('cpu')
  })

  it('a model is converted', async () => {
    const target = temporaryPath('converted.bin')
    const { format } = await library.convertModel(bytes, target, { signal: new AbortController().signal })
    expect(format).toBe('ggml')
  })

  it('what is no signal is refused', async () => {
    const options = { ...greedy, signal: 5 as unknown as AbortSignal }
    const wrong = { code: 'ERR_INVALID_ARGUMENT', message: expect.stringContaining('signal') }
    expect(await rejection(model.transcribe(sound, options))).toMatchObject(wrong)
    expect(await rejection(library.transcribe(sound, { ...options, ...cpu, model: bytes }))).toMatchObject(
      wrong,
    )
  })

  it('failures are those of this library', async () => {
    const { WhisperHipError } = library
    const failures = [
      [() => model.transcribe('/nowhere/speech.wav'), 'ERR_AUDIO_DECODE', /there is no such file/],
      [() => library.loadModel('/nowhere/model.bin', cpu), 'ERR_MODEL_NOT_FOUND', /there is no such file/],
      [() => library.loadModel(new Uint8Array(100), cpu), 'ERR_MODEL_FORMAT', /zero bytes/],
    ] as const
    for (const [run, code, message] of failures) {
      const error = await rejection(run())
      expect(error).toBeInstanceOf(WhisperHipError)
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
    }
  })
})
