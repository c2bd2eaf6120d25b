import { typeName } from './ggml-types.ts'
import { melFilterBank, SPECTRUM_BINS } from './mel.ts'
import { GgmlType, type StoredType } from './plan.ts'
import type { ByteSource } from './source.ts'

/** Far below the smallest weight that matters, far above the rounding of those who compute in f32. The largest weight is about 0.03. */
const TOLERANCE = 1e-5

/** Where the filters lie, which some checkpoints store. */
interface StoredFilters {
  offset: number
  type: StoredType
  /** ggml order; [201, bins], or the other way round. */
  shape: readonly number[]
}

/**
 * Compares stored mel filters with those of Whisper.
 * @returns what is different, or `undefined`
 */
export async function filterProblem(
  { offset, type, shape }: StoredFilters,
  source: ByteSource,
  bins: number,
): Promise<string | undefined> {
  const sizes = shape.filter((size) => size !== 1)
  const isTransposed = `${sizes}` === `${[bins, SPECTRUM_BINS]}`
  if (!isTransposed && `${sizes}` !== `${[SPECTRUM_BINS, bins]}`)
    return `their shape is [${shape}], where [${SPECTRUM_BINS},${bins}] is needed`
  if (type !== GgmlType.F32) return `they are ${typeName(type)}, where f32 is needed`
  const expected = melFilterBank(bins)
  const bytes = await source.read(offset, 4 * expected.length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let bin = 0; bin < bins; bin++) {
    for (let k = 0; k < SPECTRUM_BINS; k++) {
      const found = view.getFloat32(4 * (isTransposed ? k * bins + bin : bin * SPECTRUM_BINS + k), true)
      const wanted = expected[bin * SPECTRUM_BINS + k] as number
      if (!(Math.abs(found - wanted) <= TOLERANCE))
        return `bin ${bin} weighs frequency ${k} by ${found}, where it is ${wanted}`
    }
  }
  return undefined
}
