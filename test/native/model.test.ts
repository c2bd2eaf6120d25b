import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import { convertModel, loadModel, type Model } from '../../lib/index.ts'
import { writeCt2Folder } from '../fixtures/ct2-builder.ts'
import { buildGgml } from '../fixtures/ggml-builder.ts'

/** Made models with random weights: what they write is nonsense, but everything around it is real. */
let folder: string
let file: string
let bytes: Uint8Array

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'whisper-hip-native-'))
  file = join(folder, 'tiny.bin')
  bytes = buildGgml({ multilingual: true })
  writeFileSync(file, bytes)
})
afterAll(() => rmSync(folder, { recursive: true }))

const tone = (seconds: number) =>
  Float32Array.from({ length: seconds * 16_000 }, (_, i) => 0.1 * Math.sin(i / 20))
const cpu = { backend: 'cpu' } as const
const quick = { language: 'en', beamSize: 1, temperature: 0, maxTokens: 4 } as const
const openFiles = () => readdirSync('/proc/self/fd').length

async function withModel<T>(use: (model: Model) => Promise<T>, options = {}): Promise<T> {
  const model = await loadModel(file, { ...cpu, ...options })
  try {
    return await use(model)
  } finally {
    await model.dispose()
  }
}

describe('loading', () => {
  it('tells what the model is and where its weights lie', async () => {
    await withModel(async ({ info, backend }) => {
      expect(info).toMatchObject({
        name: 'tiny.bin',
        format: 'ggml',
        weightType: 'f16',
        multilingual: true,
        melBins: 80,
      })
      expect(backend).toMatchObject({
        policy: 'cpu',
        active: 'cpu',
        device: 'CPU',
        reason: 'GPU_DISABLED_BY_OPTION',
      })
      expect(backend.weightBytes.CPU).toBeGreaterThan(info.parameters * 2)
      expect(info.memoryBytes).toBe(backend.weightBytes.CPU)
    })
  })

  it('writes the same from a file and its bytes, and from a CTranslate2 folder and what it is converted to', async () => {
    const ct2 = join(folder, 'ct2')
    await writeCt2Folder(ct2, { multilingual: true })
    // The ggml file has mel filters of its own.
    const gguf = join(folder, 'ct2.gguf')
    await convertModel(ct2, gguf)
    const texts: string[] = []
    for (const source of [file, bytes, ct2, gguf]) {
      const model = await loadModel(source, cpu)
      const { segments } = await model.transcribe(tone(2), { ...quick, maxTokens: 12 })
      texts.push(segments.flatMap(({ tokens }) => tokens.map(({ id }) => id)).join(' '))
      await model.dispose()
    }
    expect(texts[1]).toBe(texts[0])
    expect(texts[3]).toBe(texts[2])
  })

  it('reports progress up to 1', async () => {
    const seen: number[] = []
    await withModel(async () => {}, {
      onProgress: ({ progress }: { progress: number }) => seen.push(progress),
    })
    expect(seen.at(-1)).toBe(1)
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  })

  it('refuses damaged files within a second, without leaving files or memory behind', async () => {
    const damaged = join(folder, 'damaged.bin')
    const files = openFiles()
    let slowest = 0
    let rss = 0
    for (let round = 0; round < 50; round++) {
      writeFileSync(damaged, bytes)
      truncateSync(damaged, Math.floor((bytes.byteLength * (round + 1)) / 52))
      const begun = performance.now()
      await expect(loadModel(damaged, cpu)).rejects.toMatchObject({ code: 'ERR_MODEL_CORRUPT' })
      slowest = Math.max(slowest, performance.now() - begun)
      if (round === 20) rss = process.memoryUsage().rss
    }
    expect(slowest).toBeLessThan(1000)
    expect(process.memoryUsage().rss - rss).toBeLessThan(32 << 20)
    expect(openFiles()).toBe(files)
  })

  it('rejects with the reason of a signal, before and while it loads', async () => {
    const reason = new Error('not wanted')
    await expect(loadModel(file, { ...cpu, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const onProgress = () => controller.abort(reason)
    await expect(loadModel(file, { ...cpu, signal: controller.signal, onProgress })).rejects.toBe(reason)
  })

  it('refuses a plan that does not fit together, whoever made it', async () => {
    const { native } = addon()
    const plan = {
      hyperparameters: Int32Array.of(51865, 1500, 64, 0, 2, 448, 64, 1, 2, 80, 1),
      melFilters: new Float32Array(80 * 201),
      vocabularyBytes: new Uint8Array(1),
      vocabularyLengths: Uint32Array.of(1),
      tensors: [],
      sources: [],
    }
    const load = (changes: object) =>
      native.loadModel(
        { ...plan, ...changes },
        { backend: 'cpu', device: 0, allowPartial: true, flashAttention: true },
        () => {},
      ).result
    const corrupt = { code: 'ERR_MODEL_CORRUPT' }
    await expect(load({})).rejects.toMatchObject(corrupt) // heads 0
    const hyperparameters = Int32Array.of(51865, 1500, 64, 1, 2, 448, 64, 1, 2, 80, 1)
    await expect(load({ hyperparameters })).rejects.toMatchObject(corrupt) // no tensors
    await expect(load({ hyperparameters, melFilters: new Float32Array(3) })).rejects.toMatchObject(corrupt)
    await expect(load({ hyperparameters, vocabularyLengths: Uint32Array.of(9) })).rejects.toMatchObject(
      corrupt,
    )
    const outside = {
      name: 'encoder.ln_post.bias',
      shape: [64],
      type: 0,
      parts: [{ source: 7, offset: 0, type: 0, rows: 1 }],
    }
    await expect(load({ hyperparameters, tensors: [outside] })).rejects.toMatchObject(corrupt)
    expect(() =>
      native.loadModel(
        { ...plan, hyperparameters: Int32Array.of(1) },
        { backend: 'cpu', device: 0, allowPartial: true, flashAttention: true },
        () => {},
      ),
    ).toThrow(TypeError)
  })
})

describe('audio', () => {
  it('gives an empty result for nothing, for very little, and for hours of silence', async () => {
    await withModel(async (model) => {
      for (const samples of [0, 1, 100, 1600, 7200 * 16_000]) {
        const result = await model.transcribe(new Float32Array(samples), { language: 'en' })
        expect(result).toMatchObject({ text: '', segments: [], duration: samples / 16_000 })
      }
    })
  })

  it('names the first sample that is no number', async () => {
    await withModel(async (model) => {
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const samples = new Float32Array(20_000)
        samples[12_345] = value
        const error = await model.transcribe(samples).catch((reason) => reason)
        expect(error).toMatchObject({
          code: 'ERR_INVALID_ARGUMENT',
          message: expect.stringContaining('12345'),
        })
      }
    })
  })

  it('refuses samples that were transferred before their turn came', async () => {
    await withModel(async (model) => {
      for (const audio of [tone(1), { samples: tone(1), sampleRate: 16_000, channels: 1 }]) {
        const transcription = model.transcribe(audio, quick)
        const samples = audio instanceof Float32Array ? audio : audio.samples
        structuredClone(samples, { transfer: [samples.buffer as ArrayBuffer] })
        await expect(transcription).rejects.toMatchObject({
          code: 'ERR_INVALID_ARGUMENT',
          message: expect.stringContaining('64000 bytes'),
        })
      }
    })
  })

  it('refuses to suppress the end of the text', async () => {
    await withModel(async (model) => {
      const error = await model.transcribe(tone(1), { suppressTokens: [50_257] }).catch((reason) => reason)
      expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringContaining('50257') })
    })
  })

  it.each([
    ['a missing file', 'missing.wav', undefined],
    ['an empty file', 'empty.wav', ''],
    ['text', 'text.wav', 'This is no audio.\n'.repeat(20)],
    ['a web page', 'page.mp3', '<!DOCTYPE html><html><body>Not found</body></html>'],
  ])('refuses %s and names it', async (_, name, content) => {
    const path = join(folder, name)
    if (content !== undefined) writeFileSync(path, content)
    await withModel(async (model) => {
      const error = await model.transcribe(path).catch((reason) => reason)
      expect(error).toMatchObject({ code: 'ERR_AUDIO_DECODE', message: expect.stringContaining(name) })
    })
  })
})

describe('jobs', () => {
  it('run in order beyond the limit, and leave nothing behind', async () => {
    const before = addon().native.counters()
    await withModel(
      async (model) => {
        const finished: number[] = []
        const run = (i: number) => model.transcribe(tone(1), quick).then(() => finished.push(i))
        await Promise.all(Array.from({ length: 8 }, (_, i) => run(i)))
        expect(finished).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
      },
      { concurrency: 1 },
    )
    expect(addon().native.counters()).toMatchObject({
      models: before.models,
      tasks: before.tasks,
    })
  })

  it('are cancelled by a signal, by leaving the loop and by dispose, and the model goes on', async () => {
    const reason = new Error('enough')
    const model = await loadModel(file, cpu)
    const controller = new AbortController()
    const aborted = model.transcribe(tone(120), { language: 'en', signal: controller.signal })
    setTimeout(() => controller.abort(reason), 100)
    await expect(aborted).rejects.toBe(reason)

    for await (const _ of model.transcribe(tone(40), { ...quick, timestamps: 'none' })) break
    expect((await model.transcribe(tone(1), quick)).duration).toBe(1)

    const doomed = model.transcribe(tone(120), { language: 'en' })
    doomed.catch(() => {})
    await model.dispose()
    await expect(doomed).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    await model.dispose()
    await expect(model.transcribe(tone(1))).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
  })

  it.each([
    ['root ::= "a', 'unexpected end'],
    ['root ::= other', 'other'],
    ['root ::= root "a"', 'left-recursive'],
    [`root ::= ${'('.repeat(100)}"a"${')'.repeat(100)}`, 'nested too deeply'],
  ])('say what is wrong with the grammar %j', async (grammar, message) => {
    await withModel(async (model) => {
      const error = await model.transcribe(tone(1), { ...quick, grammar }).catch((reason) => reason)
      expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringContaining(message) })
    })
  })

  it('count every node on the CPU here', async () => {
    await withModel(async (model) => {
      const { stats } = await model.transcribe(tone(1), quick)
      expect(stats).toMatchObject({ backend: 'cpu', device: 'CPU', gpuNodes: 0, audioSeconds: 1 })
      expect(stats.cpuNodes).toBeGreaterThan(50)
      expect(stats.cpuOperations).toContain('MUL_MAT')
    })
  })
})
