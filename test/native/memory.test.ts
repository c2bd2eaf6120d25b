import { describe, expect, it } from 'vitest'
import { estimateMemory } from '../../lib/index.ts'
import { weightTypeNames } from '../../lib/model/conversions.ts'
import { closePlan, readModel } from '../../lib/model/formats/index.ts'
import { requireMemory } from '../../lib/model/memory-guard.ts'
import { buildGgml } from '../fixtures/ggml-builder.ts'
import { expectNothingLeft, openFiles, withModel, writeTemporary } from './support.ts'

const bytes = buildGgml({ audioContext: 64, layers: 1, state: 256 })

describe('estimateMemory', () => {
  it.each(['auto', ...weightTypeNames] as const)(
    'knows the bytes of the weights as %s',
    async (weightType) => {
      const { weights, weightType: type } = await estimateMemory(bytes, { weightType })
      await withModel(
        bytes,
        async ({ info }) => {
          expect(info.weightType).toBe(type)
          // Packed weights have whole groups of sixteen rows, the scales of K-quants whole bytes, and values of 8 bits their sums.
          expect(info.memoryBytes / weights).toBeGreaterThanOrEqual(1)
          expect(info.memoryBytes / weights).toBeLessThan(1.06)
        },
        { weightType },
      )
    },
  )

  it('counts each transcription and each candidate', async () => {
    const one = await estimateMemory(bytes, { beamSize: 1 })
    const more = await estimateMemory(bytes, { beamSize: 5, concurrency: 3 })
    expect(one.total).toBe(one.weights + one.buffers + one.perTranscription)
    expect(more.total).toBe(more.weights + more.buffers + 3 * more.perTranscription)
    expect(more.perTranscription).toBeGreaterThan(one.perTranscription)
  })

  it('counts each window that is decoded together with others', async () => {
    const one = await estimateMemory(bytes)
    const four = await estimateMemory(bytes, { batchSize: 4 })
    expect(four.perTranscription).toBe(4 * one.perTranscription)
    expect(four.total).toBe(four.weights + four.buffers + four.perTranscription)
  })

  it('loads nothing and leaves no file open', async () => {
    const path = writeTemporary('estimated.bin', bytes)
    const before = openFiles()
    await estimateMemory(path)
    expect(openFiles()).toBe(before)
    await expectNothingLeft()
  })

  it.each([
    { beamSize: 33 },
    { concurrency: 0 },
    { batchSize: 65 },
    { weightType: 'q3' },
    { weigthType: 'f16' },
  ])('refuses %j', async (options) => {
    await expect(estimateMemory(bytes, options as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    })
  })
})

describe('a model that does not fit', () => {
  const gpu = { active: 'hip', reason: 'OK', message: '', ordinal: 0 } as const
  const room = (free: number, total = free) => ({ gpuMemory: async () => ({ free, total }) })

  it('is refused with numbers, and with what would fit', async () => {
    const plan = await readModel(bytes)
    const { total } = await estimateMemory(bytes, { beamSize: 5 })
    const { total: smaller } = await estimateMemory(bytes, { beamSize: 5, weightType: 'q8_0' })
    await requireMemory(room(total), plan, gpu, true)
    await expect(requireMemory(room(smaller), plan, gpu, true)).rejects.toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      reason: 'OUT_OF_MEMORY',
      message: `The model '<bytes>' needs ${Math.ceil(total / 1e6)} MB as f16 for one transcription at a time, and the GPU has ${Math.ceil(smaller / 1e6)} MB free`,
      advice: expect.arrayContaining(["Load it with { weightType: 'q8_0' }, which fits"]),
    })
    await closePlan(plan)
  })

  it('is not guessed at where the driver does not tell', async () => {
    const plan = await readModel(bytes)
    await requireMemory(room(0, 0), plan, gpu, true)
    await closePlan(plan)
  })
})
