import { FileOnlyType, GgmlType, type StoredType } from './plan.ts'

/** How ggml stores a type: rows are cut into blocks of `block` values, each `bytes` long. */
export interface TypeLayout {
  readonly name: string
  readonly block: number
  readonly bytes: number
}

const LAYOUTS: Readonly<Record<StoredType, TypeLayout>> = {
  [GgmlType.F32]: { name: 'f32', block: 1, bytes: 4 },
  [GgmlType.F16]: { name: 'f16', block: 1, bytes: 2 },
  [GgmlType.BF16]: { name: 'bf16', block: 1, bytes: 2 },
  [GgmlType.Q4_0]: { name: 'q4_0', block: 32, bytes: 18 },
  [GgmlType.Q4_1]: { name: 'q4_1', block: 32, bytes: 20 },
  [GgmlType.Q5_0]: { name: 'q5_0', block: 32, bytes: 22 },
  [GgmlType.Q5_1]: { name: 'q5_1', block: 32, bytes: 24 },
  [GgmlType.Q8_0]: { name: 'q8_0', block: 32, bytes: 34 },
  [GgmlType.Q2_K]: { name: 'q2_k', block: 256, bytes: 84 },
  [GgmlType.Q3_K]: { name: 'q3_k', block: 256, bytes: 110 },
  [GgmlType.Q4_K]: { name: 'q4_k', block: 256, bytes: 144 },
  [GgmlType.Q5_K]: { name: 'q5_k', block: 256, bytes: 176 },
  [GgmlType.Q6_K]: { name: 'q6_k', block: 256, bytes: 210 },
  [FileOnlyType.IQ4_NL]: { name: 'iq4_nl', block: 32, bytes: 18 },
  [FileOnlyType.IQ4_XS]: { name: 'iq4_xs', block: 256, bytes: 136 },
  [FileOnlyType.I8]: { name: 'int8', block: 1, bytes: 1 },
  [FileOnlyType.I16]: { name: 'int16', block: 1, bytes: 2 },
  [FileOnlyType.MXFP4]: { name: 'mxfp4', block: 32, bytes: 17 },
}

export function typeLayout(type: StoredType): TypeLayout {
  return LAYOUTS[type]
}

export function typeName(type: StoredType): string {
  return LAYOUTS[type].name
}

/** Bytes of a row of `length` values; not an integer when the type's blocks do not fit the row. */
export function rowBytes(type: StoredType, length: number): number {
  const { block, bytes } = LAYOUTS[type]
  return (length / block) * bytes
}

/** A value of `ftype` in a legacy ggml header and the ggml_type of the weights that it stands for. */
export interface FileType {
  readonly ftype: number
  /** ggml_type as stored, also for types that this library does not load. */
  readonly tag: number
  readonly name: string
  /** Absent when the type cannot be loaded. */
  readonly type?: GgmlType
}

const loadable = (ftype: number, type: GgmlType): FileType => ({
  ftype,
  tag: type,
  name: typeName(type),
  type,
})

/** enum ggml_ftype of whisper.cpp v1.9.1. The numbers agree with ggml_type by accident only. */
const FILE_TYPES: readonly FileType[] = [
  loadable(0, GgmlType.F32),
  loadable(1, GgmlType.F16),
  loadable(2, GgmlType.Q4_0),
  loadable(3, GgmlType.Q4_1),
  loadable(7, GgmlType.Q8_0),
  loadable(8, GgmlType.Q5_0),
  loadable(9, GgmlType.Q5_1),
  loadable(10, GgmlType.Q2_K),
  loadable(11, GgmlType.Q3_K),
  loadable(12, GgmlType.Q4_K),
  loadable(13, GgmlType.Q5_K),
  loadable(14, GgmlType.Q6_K),
  { ftype: 15, tag: 16, name: 'iq2_xxs' },
  { ftype: 16, tag: 17, name: 'iq2_xs' },
  { ftype: 17, tag: 18, name: 'iq3_xxs' },
  { ftype: 18, tag: 19, name: 'iq1_s' },
  { ftype: 19, tag: 20, name: 'iq4_nl' },
  { ftype: 20, tag: 21, name: 'iq3_s' },
  { ftype: 21, tag: 22, name: 'iq2_s' },
  { ftype: 22, tag: 23, name: 'iq4_xs' },
  { ftype: 23, tag: 29, name: 'iq1_m' },
  loadable(24, GgmlType.BF16),
  { ftype: 25, tag: 39, name: 'mxfp4' },
  { ftype: 26, tag: 40, name: 'nvfp4' },
  { ftype: 27, tag: 41, name: 'q1_0' },
]

export function fileType(ftype: number): FileType | undefined {
  return FILE_TYPES.find((entry) => entry.ftype === ftype)
}

/** The `ftype` whose weights have the given type. */
export function ftypeOf(type: GgmlType): number {
  return (FILE_TYPES.find((entry) => entry.type === type) as FileType).ftype
}
