import { describe, expect, it } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import { loadModel } from '../../lib/index.ts'
import { greedy, hum, rejection, speaking, withModel } from './support.ts'

/** Arguments as hostile as JavaScript allows: each ends in a rejection, none in a crash or in silence. */
const bytes = speaking({ script: [{ text: ' Hello.', start: 0, end: 1 }] })
const mine = new Error('mine')
const throwing = new Proxy({}, { ownKeys: fail, get: fail, has: fail, getOwnPropertyDescriptor: fail })
const invalid = { code: 'ERR_INVALID_ARGUMENT' }

function fail(): never {
  throw mine
}

describe('loadModel', () => {
  it.each([
    undefined,
    null,
    42,
    Number.NaN,
    true,
    Symbol('x'),
    [],
    {},
    () => {},
    new Float32Array(8),
    new Date(),
    10n,
  ])('of %s is refused', async (input) => {
    expect(await rejection(loadModel(input as never))).toMatchObject(invalid)
  })

  it.each([
    ['', /ERR_INVALID_ARGUMENT|ERR_MODEL_NOT_FOUND/],
    ['a\0b', /ERR_INVALID_ARGUMENT/],
    ['./not there', /ERR_MODEL_NOT_FOUND/],
    ['/dev/zero', /ERR_MODEL_FORMAT/],
    ['/', /ERR_MODEL_FORMAT/],
    [`/${'a'.repeat(5000)}`, /ERR_MODEL_NOT_FOUND/],
    ['file:///etc/hostname', /ERR_/],
  ])('of the path %j is refused', async (path, code) => {
    expect(await rejection(loadModel(path))).toMatchObject({ code: expect.stringMatching(code) })
  })

  it.each([
    ['an unknown option', { backnd: 'cpu' }],
    ['a wrong backend', { backend: 'cuda' }],
    ['a number as backend', { backend: 1 }],
    ['no number as concurrency', { concurrency: '2' }],
    ['too much concurrency', { concurrency: 17 }],
    ['a fraction of concurrency', { concurrency: 1.5 }],
    ['a signal that is none', { signal: { aborted: false } }],
    ['a callback that is none', { onProgress: {} }],
    ['an array', []],
    ['a string', 'cpu'],
    ['null', null],
  ])('with %s is refused', async (_, options) => {
    expect(await rejection(loadModel(bytes, options as never))).toMatchObject(invalid)
  })

  it('passes on what a getter throws', async () => {
    expect(await rejection(loadModel(bytes, throwing as never))).toBe(mine)
    const options = Object.defineProperty({}, 'backend', { get: fail, enumerable: true })
    expect(await rejection(loadModel(bytes, options))).toBe(mine)
  })

  it('reads each option once', async () => {
    let reads = 0
    const options = {
      get backend() {
        return reads++ === 0 ? 'cpu' : 'hip'
      },
    }
    const model = await loadModel(bytes, options as never)
    expect(reads).toBe(1)
    await model.dispose()
  })
})

describe('transcribe', () => {
  it.each([
    undefined,
    null,
    42,
    true,
    Symbol('x'),
    {},
    () => {},
    new Float64Array(8),
    new Int16Array(8),
    10n,
  ])('of %s is refused', async (audio) => {
    await withModel(bytes, async (model) => {
      expect(await rejection(model.transcribe(audio as never))).toMatchObject(invalid)
    })
  })

  it.each([
    ['samples that are none', { samples: [0, 0], sampleRate: 16_000, channels: 1 }],
    ['no rate', { samples: new Float32Array(8), channels: 1 }],
    ['a rate of zero', { samples: new Float32Array(8), sampleRate: 0, channels: 1 }],
    ['half a frame', { samples: new Float32Array(7), sampleRate: 16_000, channels: 2 }],
    ['too many channels', { samples: new Float32Array(130), sampleRate: 16_000, channels: 65 }],
    ['a misspelt name', { samples: new Float32Array(8), samplerate: 16_000, channels: 1 }],
  ])('of samples with %s is refused', async (_, audio) => {
    await withModel(bytes, async (model) => {
      expect(await rejection(model.transcribe(audio as never))).toMatchObject(invalid)
    })
  })

  it.each([
    { beamSize: 0 },
    { beamSize: 33 },
    { beamSize: Number.NaN },
    { bestOf: 100 },
    { temperature: -0.1 },
    { temperature: [] },
    { temperature: [0.4, 0.2] },
    { language: 'klingon' },
    { language: 'de' },
    { task: 'translate' },
    { threads: 0 },
    { threads: 1e9 },
    { maxTokens: 0 },
    { clips: [[5, 1]] },
    {
      clips: [
        [0, 2],
        [1, 3],
      ],
    },
    { offset: -1 },
    { offset: Number.POSITIVE_INFINITY },
    { suppressTokens: [51_864] },
    { suppressTokens: [0.5] },
    { suppressRegex: '(' },
    { suppressRegex: /a/gi },
    { grammar: 'root ::= "a"', grammarRule: 'a b' },
    { initialPrompt: 'a\0b' },
    { vad: 'yes' },
    { vad: { treshold: 0.5 } },
    { vad: { threshold: 2 } },
    { timestamps: 'words' },
    { beemSize: 5 },
  ])('with %j is refused', async (options) => {
    await withModel(bytes, async (model) => {
      expect(await rejection(model.transcribe(hum(1), options as never))).toMatchObject(invalid)
      expect(addon().native.counters().tasks).toBe(0)
    })
  })

  it('with a prompt of more than 10000 characters is refused', async () => {
    await withModel(bytes, async (model) => {
      const options = { initialPrompt: 'a'.repeat(10_001) }
      expect(await rejection(model.transcribe(hum(1), options))).toMatchObject(invalid)
    })
  })

  it('passes on what a getter throws, as a rejection', async () => {
    await withModel(bytes, async (model) => {
      expect(await rejection(model.transcribe(hum(1), throwing as never))).toBe(mine)
      expect(await rejection(model.transcribe(throwing as never))).toBe(mine)
      const options = Object.defineProperty({}, 'language', { get: fail, enumerable: true })
      expect(await rejection(model.transcribe(hum(1), options))).toBe(mine)
      expect((await model.transcribe(hum(1), greedy)).text).toBe('Hello.')
    })
  })
})

describe('the addon itself', () => {
  const bare = (call: unknown) => call as () => void

  it.each([
    ['loadModel', () => bare(addon().native.loadModel)()],
    ['loadBackends', () => bare(addon().native.loadBackends)()],
    ['append', () => bare(addon().native.ByteStore.prototype.append).call(new (addon().native.ByteStore)())],
    [
      'append of a DataView',
      () => new (addon().native.ByteStore)().append(new DataView(new ArrayBuffer(8)) as never, false),
    ],
    [
      'append without a store',
      () => addon().native.ByteStore.prototype.append.call({}, new Uint8Array(1), false),
    ],
    ['ByteStore as a function', () => bare(addon().native.ByteStore)()],
    [
      'append to a model',
      () => addon().native.ByteStore.prototype.append.call(addon().native, new Uint8Array(1), false),
    ],
  ])('throws at %s without arguments that fit', (_, call) => {
    expect(call).toThrow()
  })

  it('takes any log sink', () => {
    for (const sink of [null, undefined, 1, {}]) addon().native.setLogSink(sink as never)
    addon().native.setLogSink(null)
  })

  it('survives a detached and an empty array', () => {
    const store = new (addon().native.ByteStore)()
    const bytes = new Uint8Array(8)
    structuredClone(bytes, { transfer: [bytes.buffer] })
    expect(store.append(bytes, false)).toBe(-1)
    expect(store.append(new Float32Array(0), true)).toBe(-1)
    expect(store.byteLength).toBe(0)
  })
})
