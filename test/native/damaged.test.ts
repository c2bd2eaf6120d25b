import { truncateSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadModel, WhisperHipError } from '../../lib/index.ts'
import { assembleCt2, ct2Parts, writeCt2Folder } from '../fixtures/ct2-builder.ts'
import { assembleGgml, ggmlParts } from '../fixtures/ggml-builder.ts'
import { writeHuggingFaceFiles } from '../fixtures/hf-files.ts'
import { huggingFaceTensors } from '../fixtures/hf-names.ts'
import { buildSafetensors } from '../fixtures/safetensors-builder.ts'
import { generator } from '../fixtures/tiny-model.ts'
import { buildStateDictionary } from '../fixtures/torch-builder.ts'
import {
  collectGarbage,
  cpu,
  expectNothingLeft,
  hum,
  openFiles,
  rejection,
  temporaryPath,
  withModel,
  writeTemporary,
} from './support.ts'

const tiny = { audioContext: 64, layers: 1 }

/** Tries to load the file as it is now; resolves to the code, or to null where it loaded. */
async function attempt(path: string): Promise<string | null> {
  const begun = performance.now()
  const model = await loadModel(path, cpu).catch((error) => error)
  expect(performance.now() - begun).toBeLessThan(1000)
  if (model instanceof Error) {
    expect(model).toBeInstanceOf(WhisperHipError)
    return (model as WhisperHipError).code
  }
  await model.dispose()
  return null
}

/** About so many of the offsets, with their neighbours. */
function sample(boundaries: readonly number[], count: number, size: number): number[] {
  const step = Math.ceil(boundaries.length / count)
  const some = boundaries.filter((_, i) => i % step === 0)
  const near = some.flatMap((offset) => [offset - 1, offset, offset + 1])
  return near.filter((offset) => offset > 0 && offset < size)
}

function randomOffsets(count: number, size: number): number[] {
  const random = generator(3)
  return Array.from({ length: count }, () => random() % size)
}

describe('a file that was cut', () => {
  it('as ggml is corrupt wherever it ends', async () => {
    const { bytes, boundaries } = assembleGgml(ggmlParts(tiny))
    const path = temporaryPath('cut.bin')
    for (const length of [...sample(boundaries, 16, bytes.length), ...randomOffsets(12, bytes.length)]) {
      await writeFile(path, bytes.subarray(0, length))
      expect(await attempt(path), `cut at ${length}`).toBe('ERR_MODEL_CORRUPT')
    }
  })

  it('as CTranslate2 is corrupt wherever it ends', async () => {
    const folder = temporaryPath('cut-ct2')
    await writeCt2Folder(folder, tiny)
    const { bytes, boundaries } = assembleCt2(ct2Parts(tiny))
    // The format is told by the name of the specification, which ends at byte 17.
    const lengths = [...sample(boundaries, 12, bytes.length), ...randomOffsets(12, bytes.length)]
    for (const length of lengths.filter((offset) => offset > 17)) {
      await writeFile(join(folder, 'model.bin'), bytes.subarray(0, length))
      expect(await attempt(folder), `cut at ${length}`).toBe('ERR_MODEL_CORRUPT')
    }
  })
})

describe('a checkpoint of Hugging Face that was cut', () => {
  it.each([
    ['safetensors', 'model.safetensors', buildSafetensors],
    ['PyTorch', 'pytorch_model.bin', buildStateDictionary],
  ] as const)('as %s is corrupt wherever it ends, and leaves nothing behind', async (name, file, build) => {
    const folder = temporaryPath(`cut-${name}`)
    await writeHuggingFaceFiles(folder, tiny)
    const bytes = build(huggingFaceTensors(tiny))
    const offsets = [...randomOffsets(40, bytes.length), 9000, bytes.length - 1]
    const attempts = async () => {
      for (const length of offsets) {
        await writeFile(join(folder, file), bytes.subarray(0, length))
        expect(await attempt(folder), `cut at ${length}`).toBe('ERR_MODEL_CORRUPT')
      }
      collectGarbage()
    }
    await attempts()
    const files = openFiles()
    const memory = process.memoryUsage().rss
    await attempts()
    expect(openFiles()).toBe(files)
    expect(process.memoryUsage().rss - memory).toBeLessThan(16 << 20)
    await expectNothingLeft()
  })
})

describe('a file with flipped bits', () => {
  it('in its header loads or is refused, with a code', async () => {
    const { bytes } = assembleGgml(ggmlParts(tiny))
    const random = generator(5)
    const path = temporaryPath('flipped.bin')
    const codes = new Set<string | null>()
    for (let offset = 4; offset < 52; offset += 2) {
      const damaged = bytes.slice()
      damaged[offset] = (damaged[offset] as number) ^ (1 << (random() % 8))
      await writeFile(path, damaged)
      codes.add(await attempt(path))
    }
    for (const code of codes) expect([null, 'ERR_MODEL_CORRUPT', 'ERR_MODEL_UNSUPPORTED']).toContain(code)
    expect(codes).toContain('ERR_MODEL_CORRUPT')
  })
})

describe('a damaged file that is tried again and again', () => {
  it.each(['in its tensors', 'in its header'])(
    '%s leaves no memory and no open file behind',
    async (where) => {
      const { bytes } = assembleGgml(ggmlParts(tiny))
      const path = writeTemporary('again.bin', bytes)
      truncateSync(path, where === 'in its header' ? 70_000 : bytes.length - 10)
      for (let round = 0; round < 10; round++) await attempt(path)
      collectGarbage()
      const files = openFiles()
      const memory = process.memoryUsage().rss
      for (let round = 0; round < 50; round++) expect(await attempt(path)).toBe('ERR_MODEL_CORRUPT')
      collectGarbage()
      expect(openFiles()).toBe(files)
      expect(process.memoryUsage().rss - memory).toBeLessThan(16 << 20)
      await expectNothingLeft()
    },
  )
})

describe('weights that are no numbers', () => {
  const nan = { 0: [0, 0, 0xc0, 0x7f], 1: [0, 0x7e] }
  const infinity = { 0: [0, 0, 0x80, 0x7f], 1: [0, 0x7c] }

  /** A model in which a tensor is filled with a value. */
  function damaged(tensor: string, value: typeof nan): Uint8Array {
    const parts = ggmlParts({ ...tiny, multilingual: true })
    for (const record of parts.records) {
      const pattern = value[record.type as 0 | 1]
      if (record.name === tensor)
        record.data = record.data.map((_, i) => pattern[i % pattern.length] as number)
    }
    return assembleGgml(parts).bytes
  }

  it.each([
    ['decoder.token_embedding.weight', 'NaN', nan],
    ['decoder.token_embedding.weight', 'infinity', infinity],
    ['decoder.positional_embedding', 'NaN', nan],
    ['encoder.conv1.weight', 'NaN', nan],
    ['encoder.ln_post.bias', 'infinity', infinity],
  ] as const)('in %s (%s) are an error, however the text is decoded', async (tensor, _, value) => {
    await withModel(damaged(tensor, value), async (model) => {
      const ways = [{ beamSize: 1 }, { beamSize: 5 }, { temperature: 0.4 }, { timestamps: 'none' }] as const
      for (const way of ways) {
        const error = await rejection(model.transcribe(hum(1), { language: 'en', ...way }))
        expect(error).toMatchObject({ code: 'ERR_MODEL_CORRUPT' })
      }
      expect(await rejection(model.transcribe(hum(1)))).toMatchObject({ code: 'ERR_MODEL_CORRUPT' })
      expect(await rejection(model.detectLanguage(hum(1)))).toMatchObject({ code: 'ERR_MODEL_CORRUPT' })
    })
  })
})
