import { expect } from 'vitest'
import { typeLayout } from '../../../lib/model/ggml-types.ts'
import { GgmlType, type LoadPlan } from '../../../lib/model/plan.ts'
import type { ByteSource } from '../../../lib/model/source.ts'

/** The values of a tensor that is stored as f32, f16 or bf16, in C order: read at the offsets and strides of the plan. */
export async function valuesOf(plan: LoadPlan, name: string): Promise<Float32Array> {
  const tensor = plan.tensors.find((candidate) => candidate.name === name)
  const part = tensor?.parts[0]
  if (!tensor || !part) throw new Error(`no tensor ${name}`)
  const count = tensor.shape.reduce((product, size) => product * size, 1)
  const { bytes: width } = typeLayout(part.type)
  const bytes = await (plan.sources[part.source] as ByteSource).read(part.offset, count * width)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Float32Array.from({ length: count }, (_, i) => {
    let at = i
    if (part.strides !== undefined) {
      at = 0
      let rest = i
      for (const [axis, size] of tensor.shape.entries()) {
        at += (rest % size) * (part.strides[axis] as number)
        rest = Math.floor(rest / size)
      }
    }
    if (part.type === GgmlType.F32) return view.getFloat32(at * 4, true)
    const bits = view.getUint16(at * 2, true)
    return part.type === GgmlType.BF16 ? fromBf16(bits) : fromF16(bits)
  })
}

/** Insists on the values of `tinyWeights()`: exact in all float types, but for the scales of norms, which are about 1. */
export function expectValues(name: string, found: Float32Array, expected: Float32Array): void {
  const tolerance = /ln(_post)?\.weight$/.test(name) ? 2 ** -6 : 0
  expect(found.length, name).toBe(expected.length)
  const wrong = expected.findIndex((value, i) => !(Math.abs(value - (found[i] as number)) <= tolerance))
  expect(wrong, name).toBe(-1)
}

function fromBf16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0] as number
}

function fromF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
