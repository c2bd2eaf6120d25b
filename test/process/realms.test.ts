import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import vm from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../lib/backend/package-root.ts'
import { buildSpeaking } from '../fixtures/speaking-model.ts'
import { buildWav } from '../native/wav.ts'
import { folder } from './child.ts'

/**
 * The library of dist/ in a realm of its own, as jest runs it: `Error`, `Float32Array` and the rest are other ones than those of Node's modules
 * and of the addon; `fetch`, timers and TextDecoder are missing, as they are in its environment of jsdom.
 */
const entry = join(packageRoot(), 'dist/index.js')
/** `document` is what tells browsers from Node, for some. */
const realm = vm.createContext({ Buffer, console, process, document: { baseURI: 'http://localhost/' } })
const inRealm = (code: string): unknown => vm.runInContext(code, realm)

const sentence = 'The quick brown fox jumps over the lazy dog.'
const modelBytes = buildSpeaking({
  script: [{ text: ` ${sentence}`, start: 0, end: 29 }],
  audioContext: 64,
  layers: 1,
  multilingual: true,
})
const sound = Float32Array.from({ length: 80_000 }, (_, i) => 0.3 * Math.sin(i / 7))
const wav = buildWav({ format: 3, bits: 32, data: new Uint8Array(sound.buffer) })
const options = { language: 'en', beamSize: 1, temperature: 0 } as const

type Library = typeof import('../../lib/index.ts')

function loadLibrary(): Library {
  const wrapper = `(function (exports, require, module, __filename, __dirname) { ${readFileSync(entry, 'utf8')}\n})`
  const run = vm.runInContext(wrapper, realm, { filename: entry })
  const module = { exports: {} }
  run(module.exports, createRequire(entry), module, entry, join(entry, '..'))
  return module.exports as Library
}

/** The same values in an array of the realm. */
function foreign<T extends Float32Array | Uint8Array>(view: T): T {
  const made = inRealm(`new ${view[Symbol.toStringTag]}(${view.length})`) as T
  made.set(view)
  return made
}

let library: Library
let model: Awaited<ReturnType<Library['loadModel']>>
const path = join(folder, 'speech.wav')

beforeAll(async () => {
  writeFileSync(path, wav)
  library = loadLibrary()
  model = await library.loadModel(foreign(modelBytes), { backend: 'cpu' })
})
afterAll(() => model.dispose())

const failureOf = (promise: PromiseLike<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  )

describe('in another realm', () => {
  it.each<[string, () => Parameters<typeof model.transcribe>[0]]>([
    ['its samples', () => foreign(sound)],
    ['samples of Node', () => sound],
    ['samples with their rate', () => ({ samples: foreign(sound), sampleRate: 16_000, channels: 1 })],
    ['its bytes', () => foreign(wav)],
    ['its buffer', () => foreign(wav).buffer as ArrayBuffer],
    ['a Blob', () => new Blob([new Uint8Array(wav)])],
    ['a URL', () => pathToFileURL(path)],
    ['a path', () => path],
    ['a stream of its chunks', () => chunks(foreign(wav.slice(0, 10_000)), foreign(wav.slice(10_000)))],
  ])('%s are transcribed', async (_, audio) => {
    const { text, warnings } = await model.transcribe(audio(), options)
    expect(text).toBe(sentence)
    expect(warnings).toHaveLength(0)
  })

  it('failures of Node and of the addon become those of the library', async () => {
    const failures = [
      [() => model.transcribe('/nowhere/speech.wav'), 'ERR_AUDIO_DECODE', /there is no such file/],
      [() => library.loadModel('/nowhere/model.bin'), 'ERR_MODEL_NOT_FOUND', /there is no such file/],
      [() => model.transcribe(foreign(Float32Array.of(Number.NaN))), 'ERR_INVALID_ARGUMENT', /finite/],
      [() => model.transcribe(foreign(new Uint8Array(100).fill(1))), 'ERR_AUDIO_DECODE', /./],
      [() => model.transcribe(sound, { ...options, grammar: 'root ::= (' }), 'ERR_INVALID_ARGUMENT', /./],
      [() => library.downloadModel('http://127.0.0.1:1/x.bin'), 'ERR_DOWNLOAD', /ECONNREFUSED|connect/],
    ] as const
    for (const [run, code, message] of failures) {
      const error = (await failureOf(run())) as Error
      expect(error).toBeInstanceOf(library.WhisperHipError)
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
    }
  })

  it('a signal ends the work with its reason', async () => {
    const reason = inRealm('new Error("enough")')
    const controller = new AbortController()
    const job = model.transcribe(sound, { ...options, signal: controller.signal })
    controller.abort(reason)
    expect(await failureOf(job)).toBe(reason)
    expect(await failureOf(library.loadModel(modelBytes, { signal: controller.signal }))).toBe(reason)
  })

  it('a model has a process of its own', async () => {
    const isolated = await library.loadModel(foreign(modelBytes), { backend: 'cpu', isolation: 'process' })
    expect((await isolated.transcribe(foreign(sound), options)).text).toBe(sentence)
    const error = await failureOf(isolated.transcribe('/nowhere/speech.wav'))
    expect(error).toBeInstanceOf(library.WhisperHipError)
    await isolated.dispose()
  })

  it('the rest works', async () => {
    expect((await library.backendInfo()).active).toBe('cpu')
    expect((await model.detectLanguage(foreign(sound))).language).toBeTypeOf('string')
    expect((await library.detectSpeech(foreign(sound))).duration).toBeCloseTo(5)
    const stream = model.stream({ format: 'f32le', vad: false, language: 'en' })
    stream.end(foreign(new Uint8Array(sound.buffer)))
    const types = new Set<string>()
    for await (const { type } of stream) types.add(type)
    expect(types).toContain('final')
  })
})

async function* chunks(...all: Uint8Array[]) {
  yield* all
}
