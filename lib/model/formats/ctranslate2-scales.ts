import type { Pacer } from '../../pacer.ts'
import { corrupt, unsupported } from '../failures.ts'
import type { TensorPart } from '../plan.ts'
import type { ByteSource } from '../source.ts'
import type { Container, Variable } from './ctranslate2-container.ts'

/** Scales that are looked at in one step. */
const AT_ONCE = 1 << 14

/** The variable with the divisors of a quantised one. */
export function scaleName(variable: string): string {
  return `${variable}_scale`
}

/**
 * Insists that every quantised variable has scales that fit it, that they can be divided by, and that only weights are quantised.
 *
 * int8 has a scale for each of its outputs (each slice along the slowest dimension), int16 one for the whole.
 * @throws WhisperHipError `ERR_MODEL_CORRUPT` or `ERR_MODEL_UNSUPPORTED`
 */
export async function requireScales(
  { variables }: Container,
  source: ByteSource,
  pacer: Pacer,
): Promise<void> {
  for (const variable of new Set(variables.values())) {
    const { name, shape, type } = variable
    if (shape.length === 0 || (type !== 'i8' && type !== 'i16')) continue
    const isWeight = /\/weight$/.test(name) && shape.length > 1
    if (!isWeight) throw corrupt(source.name, `variable ${name} is ${type}, and only weights are quantised`)
    const scale = variables.get(scaleName(name))
    if (scale === undefined) throw corrupt(source.name, `variable ${scaleName(name)} is missing`)
    if (scale.type !== 'f32')
      throw corrupt(source.name, `variable ${scale.name} is ${scale.type}, where f32 is needed`)
    const expected = type === 'i8' ? `${shape[0]}` : ''
    const isOne = expected === '' && `${scale.shape}` === '1'
    if (`${scale.shape}` !== expected && !isOne) {
      throw corrupt(
        source.name,
        `variable ${scale.name} has shape [${scale.shape}], where [${expected}] is needed`,
      )
    }
    await requireDivisors(scale, source, pacer)
  }
}

async function requireDivisors({ name, shape, offset }: Variable, source: ByteSource, pacer: Pacer) {
  const count = shape[0] ?? 1
  for (let done = 0; done < count; done += AT_ONCE) {
    if (pacer.due) await pacer.turn()
    const bytes = await source.read(offset + 4 * done, 4 * Math.min(AT_ONCE, count - done))
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at < bytes.byteLength; at += 4) {
      const scale = view.getFloat32(at, true)
      if (scale > 0 && scale < Number.POSITIVE_INFINITY) continue
      throw corrupt(source.name, `variable ${name} has the scale ${scale} for row ${done + at / 4}`)
    }
  }
}

/** The scales of a slice of the rows of a quantised variable; undefined for others. */
export function scaleOf(
  { variables }: Container,
  { name, type }: Variable,
  slice: number,
  slices: number,
): TensorPart['scale'] {
  const scale = type === 'i8' || type === 'i16' ? variables.get(scaleName(name)) : undefined
  if (scale === undefined) return undefined
  if (type === 'i16') return { source: 0, offset: scale.offset, count: 1 }
  const count = (scale.shape[0] as number) / slices
  return { source: 0, offset: scale.offset + 4 * slice * count, count }
}

/**
 * What CTranslate2 calls the quantisation of a model, e.g. `int8_float16`.
 * @throws WhisperHipError `ERR_MODEL_CORRUPT` when types exclude one another, `ERR_MODEL_UNSUPPORTED` for 4-bit weights (AWQ)
 */
export function quantizationOf({ variables }: Container, name: string): string {
  const first = new Map<string, Variable>()
  for (const variable of variables.values()) {
    if (variable.shape.length > 0 && !first.has(variable.type)) first.set(variable.type, variable)
  }
  const packed = first.get('i32')
  if (packed !== undefined) {
    throw unsupported(name, `its weights are of 4 bits (AWQ): ${packed.name} is i32`, [
      'Convert the original checkpoint with ct2-transformers-converter --quantization float16',
    ])
  }
  const exclude = (a: string, b: string) => {
    const [one, other] = [first.get(a), first.get(b)]
    if (one === undefined || other === undefined) return
    throw corrupt(name, `${one.name} is ${a} and ${other.name} is ${b}, which exclude one another`)
  }
  exclude('f16', 'bf16')
  exclude('i8', 'i16')
  const float = first.has('f16') ? 'float16' : first.has('bf16') ? 'bfloat16' : 'float32'
  if (first.has('i8')) return `int8_${float}`
  return first.has('i16') ? 'int16' : float
}
