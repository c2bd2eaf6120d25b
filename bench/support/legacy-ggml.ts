import { type FileHandle, open } from 'node:fs/promises'
import { closePlan, readModel } from '../../lib/model/formats/index.ts'
import { rowBytes } from '../../lib/model/ggml-types.ts'
import { GgmlType, type LoadPlan, type PlanTensor, type StoredType } from '../../lib/model/plan.ts'
import { toNativePlan } from '../../lib/model/plan-to-native.ts'

const MAGIC = 0x67676d6c // 'ggml'
const SPECTRUM_BINS = 201

/**
 * Writes a model of any format that the library reads as a legacy ggml file, the one format that whisper-cli reads.
 * @param input a file or a checkpoint folder
 * @param output path of the file to write
 */
export async function writeLegacyGgml(input: string, output: string): Promise<void> {
  const plan = await readModel(input)
  const file = await open(output, 'wx')
  try {
    await writeHeader(file, plan)
    for (const tensor of plan.tensors) await writeTensor(file, plan, tensor)
    await file.sync()
  } finally {
    await Promise.all([file.close(), closePlan(plan)])
  }
}

async function writeHeader(file: FileHandle, plan: LoadPlan): Promise<void> {
  const { hyperparameters, melFilters, vocabularyBytes, vocabularyLengths } = toNativePlan(plan, () => {
    throw new TypeError('Only models in files can be written')
  })
  const parts: Uint8Array[] = [int32(MAGIC, ...hyperparameters)]
  parts.push(int32(plan.hyperparameters.melBins, SPECTRUM_BINS), bytesOf(melFilters))
  parts.push(int32(vocabularyLengths.length))
  let start = 0
  for (const length of vocabularyLengths) {
    parts.push(int32(length), vocabularyBytes.subarray(start, start + length))
    start += length
  }
  await file.writeFile(Buffer.concat(parts))
}

async function writeTensor(file: FileHandle, plan: LoadPlan, tensor: PlanTensor): Promise<void> {
  const { name, shape, type, parts } = tensor
  const title = Buffer.from(name)
  await file.writeFile(Buffer.concat([int32(shape.length, title.length, type, ...shape), title]))
  const width = shape[0] ?? 1
  for (const part of parts) {
    const source = plan.sources[part.source]
    if (source === undefined) throw new RangeError(`${name} names no source of the plan`)
    const stored = await source.read(part.offset, part.rows * rowBytes(part.type, width))
    await file.writeFile(converted(stored, part.type, type, name))
  }
}

/** The formats store f16 where whisper.cpp keeps f32; every other difference is an error. */
function converted(stored: Uint8Array, from: StoredType, to: GgmlType, name: string): Uint8Array {
  if (from === to) return stored
  if (from !== GgmlType.F16 || to !== GgmlType.F32) {
    throw new TypeError(`${name} would have to be converted from type ${from} to type ${to}`)
  }
  const halves = new DataView(stored.buffer, stored.byteOffset, stored.byteLength)
  return bytesOf(
    Float32Array.from({ length: stored.byteLength / 2 }, (_, i) => half(halves.getUint16(2 * i, true))),
  )
}

/** Value of an IEEE 754 half. */
function half(bits: number): number {
  const sign = bits >> 15 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction)
}

function int32(...values: number[]): Uint8Array {
  return bytesOf(Int32Array.from(values))
}

function bytesOf(array: Int32Array | Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
