import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { convertModel, estimateMemory, loadModel, type Model, transcribe } from '../../lib/index.ts'
import { cpu, expectNothingLeft, greedy, hum, rejection, speaking, temporaryPath } from './support.ts'

/** What callers hand over: memory that others write to or that is gone, and functions that fail later. */

const sentence = 'The quick brown fox jumps over the lazy dog.'
const bytes = speaking({ script: [{ text: ` ${sentence}`, start: 0, end: 29 }] })
const sound = hum(5)

function shared(view: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(view.byteLength))
  copy.set(view)
  return copy
}

function gone(view: Uint8Array): Uint8Array {
  const copy = view.slice()
  structuredClone(copy, { transfer: [copy.buffer] })
  return copy
}

let model: Model

beforeAll(async () => {
  model = await loadModel(shared(bytes), cpu)
})
afterAll(async () => {
  await model.dispose()
  await expectNothingLeft()
})

describe('shared memory', () => {
  it('can hold a model', async () => {
    expect((await model.transcribe(sound, greedy)).text).toBe(sentence)
  })

  it('can hold a model that is overwritten while it is loaded', async () => {
    const memory = shared(bytes)
    const loading = loadModel(memory, {
      ...cpu,
      onProgress: () => void memory.fill(255),
    })
    const loaded = await loading.catch(() => undefined)
    await loaded?.dispose()
  })

  it('can hold a model that is converted', async () => {
    const target = temporaryPath('shared.bin')
    expect(await convertModel(shared(bytes), target)).toMatchObject({ format: 'ggml' })
  })

  it('can hold live audio', async () => {
    const stream = model.stream({ format: 'f32le', vad: false })
    stream.end(shared(new Uint8Array(sound.buffer)))
    const types = new Set<string>()
    for await (const { type } of stream) types.add(type)
    expect(types).toContain('final')
  })
})

describe('memory that was transferred', () => {
  it.each([
    ['a model', () => loadModel(gone(bytes), cpu), 'model'],
    ['a model to convert', () => convertModel(gone(bytes), temporaryPath('gone.bin')), 'model'],
    ['a model to estimate', () => estimateMemory(gone(bytes)), 'model'],
    ['audio', () => model.transcribe(gone(new Uint8Array(sound.buffer))), 'audio'],
    ['audio for its language', () => model.detectLanguage(gone(new Uint8Array(sound.buffer))), 'audio'],
  ])('is named, where it was %s', async (_, run, name) => {
    const message = `Expected memory that has not been transferred for ${name} but received Uint8Array(0) of type object`
    expect(await rejection(run())).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', message })
  })

  it('is named, where it was live audio', async () => {
    const stream = model.stream({ format: 'f32le' })
    const failure = new Promise((resolve) => stream.once('error', resolve))
    stream.write(gone(new Uint8Array(sound.buffer)))
    expect(await failure).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining('transferred for the live audio'),
    })
  })
})

describe('a callback whose promise rejects', () => {
  const failure = new Error('the database is gone')
  const fail = async () => {
    throw failure
  }

  it.each<[string, () => PromiseLike<unknown>]>([
    ['loading', () => loadModel(bytes, { ...cpu, onProgress: fail })],
    ['converting', () => convertModel(bytes, temporaryPath('failed.bin'), { onProgress: fail })],
    ['a transcription', () => model.transcribe(sound, { ...greedy, onProgress: fail })],
    ['a segment', () => model.transcribe(sound, { ...greedy, onSegment: fail })],
    ['loading for one call', () => transcribe(sound, { ...cpu, model: bytes, onLoadProgress: fail })],
    ['one call', () => transcribe(sound, { ...cpu, ...greedy, model: bytes, onProgress: fail })],
    ['a segment of one call', () => transcribe(sound, { ...cpu, ...greedy, model: bytes, onSegment: fail })],
  ])('fails %s with its reason', async (_, run) => {
    expect(await rejection(run())).toBe(failure)
  })

  it('that comes late fails what still runs', async () => {
    let calls = 0
    const onProgress = async () => {
      calls++
      await new Promise(setImmediate)
      throw failure
    }
    expect(await rejection(model.transcribe(hum(150), { ...greedy, onProgress }))).toBe(failure)
    expect(calls).toBeLessThan(5)
  })
})
