import { corrupt, quote, unsupported } from '../failures.ts'
import { FileOnlyType, GgmlType, type StoredType } from '../plan.ts'

/** What is read; int8 and int16 have no meaning in GGUF without scales, which it does not have. */
const READABLE: ReadonlySet<number> = new Set<StoredType>([
  ...Object.values(GgmlType),
  FileOnlyType.IQ4_NL,
  FileOnlyType.IQ4_XS,
  FileOnlyType.MXFP4,
])

/** Names of the types of ggml that are not read. */
const OTHERS: Readonly<Record<number, string>> = {
  4: 'q4_2 (removed from ggml)',
  5: 'q4_3 (removed from ggml)',
  9: 'q8_1',
  15: 'q8_k',
  16: 'iq2_xxs',
  17: 'iq2_xs',
  18: 'iq3_xxs',
  19: 'iq1_s',
  21: 'iq3_s',
  22: 'iq2_s',
  24: 'i8',
  25: 'i16',
  26: 'i32',
  27: 'i64',
  28: 'f64',
  29: 'iq1_m',
  31: 'q4_0_4_4 (removed from ggml)',
  32: 'q4_0_4_8 (removed from ggml)',
  33: 'q4_0_8_8 (removed from ggml)',
  34: 'tq1_0',
  35: 'tq2_0',
  36: 'iq4_nl_4_4 (removed from ggml)',
  37: 'iq4_nl_4_8 (removed from ggml)',
  38: 'iq4_nl_8_8 (removed from ggml)',
  40: 'nvfp4',
  41: 'q1_0',
}

/** @throws WhisperHipError `ERR_MODEL_UNSUPPORTED` for a type that is not read, `ERR_MODEL_CORRUPT` for a number that is none */
export function storedTypeOf(tag: number, tensor: string, file: string): StoredType {
  if (READABLE.has(tag)) return tag as StoredType
  const name = OTHERS[tag]
  if (name === undefined)
    throw corrupt(file, `tensor ${quote(tensor)} has type ${tag}, which stands for no type of ggml`)
  throw unsupported(file, `its tensor ${quote(tensor)} is ${name}, a type that is not read`, [
    'Use a file with f16, q8_0, q5_0 or K-quant weights',
  ])
}
