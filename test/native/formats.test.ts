import { describe, expect, it } from 'vitest'
import { typeName } from '../../lib/model/ggml-types.ts'
import { melFilterBank } from '../../lib/model/mel.ts'
import { GgmlType } from '../../lib/model/plan.ts'
import { writeCt2Folder } from '../fixtures/ct2-builder.ts'
import { assembleGgml, ggmlParts } from '../fixtures/ggml-builder.ts'
import { greedy, hum, temporaryPath, withModel, writeTemporary } from './support.ts'

const tiny = { audioContext: 64, layers: 1 }
const short = { ...greedy, maxTokens: 3 }
const sound = hum(1)

/** The mel filters of Whisper, which CTranslate2's files do not hold. */
function ggml(type: GgmlType, state = 64): Uint8Array {
  return assembleGgml({ ...ggmlParts({ ...tiny, state, type }), filters: melFilterBank(80) }).bytes
}

describe('a ggml file', () => {
  const types = Object.values(GgmlType).filter((type) => type !== GgmlType.F32)

  it.each(types.map((type) => [typeName(type), type] as const))(
    'of %s loads and runs',
    async (name, type) => {
      const path = writeTemporary(`${name}.bin`, ggml(type, /_k$/.test(name) ? 256 : 64))
      await withModel(path, async (model) => {
        expect(model.info).toMatchObject({ format: 'ggml', weightType: name, conversions: [] })
        const placed = Object.values(model.backend.weightBytes)
        expect(placed.reduce((sum, bytes) => sum + bytes, 0)).toBe(model.info.memoryBytes)
        // The file has the vocabulary beside the weights.
        expect(model.info.fileBytes - model.info.memoryBytes).toBeGreaterThan(400_000)
        expect(model.info.fileBytes - model.info.memoryBytes).toBeLessThan(600_000)
        const { segments, duration } = await model.transcribe(sound, short)
        expect(duration).toBe(1)
        for (const { averageLogProbability } of segments) expect(averageLogProbability).toBeLessThan(0)
      })
    },
  )
})

describe('the same weights', () => {
  it.each(['ggml of f32', 'CTranslate2 of f16', 'CTranslate2 of bf16', 'CTranslate2 of f32'] as const)(
    'in %s become f16 and say the same',
    async (form) => {
      const expected = await withModel(ggml(GgmlType.F16), (model) => model.transcribe(sound, short))
      const type = form.split(' ')[2] as 'f16' | 'bf16' | 'f32'
      const folder = temporaryPath(form)
      if (form.startsWith('CT')) await writeCt2Folder(folder, { ...tiny, type })
      await withModel(form.startsWith('CT') ? folder : ggml(GgmlType.F32), async (model) => {
        expect(model.info.weightType).toBe('f16')
        expect(model.info.conversions.join()).toContain(type === 'f16' ? 'f16 -> f32' : `${type} -> f16`)
        const result = await model.transcribe(sound, short)
        expect(result.text).toBe(expected.text)
        // The norms, which the files hold in their own type, are about 1.
        const [segment] = result.segments
        expect(segment?.averageLogProbability).toBeCloseTo(
          expected.segments[0]?.averageLogProbability ?? 0,
          2,
        )
      })
    },
  )
})
