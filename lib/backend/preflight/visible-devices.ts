import type { KfdGpu } from './kfd.ts'

/** What the variables that hide GPUs leave of them. */
export interface Visibility {
  /** Numbers of the KFD nodes that HIP will show, in HIP's order. */
  visible: readonly number[]
  /** By node: the variable that hides it, as it is set. */
  hiddenBy: ReadonlyMap<number, { variable: string; value: string }>
}

/** Variables to set before HIP starts, in this process as in a child; null: to unset. */
export type Pin = Readonly<Record<string, string | null>>

/** How one runtime reads its list. */
interface Dialect {
  /** An entry as a place among the GPUs, or null: there the list ends. */
  resolve(entry: string, gpus: readonly KfdGpu[]): number | null
  /** A GPU that is named again ends the list too. */
  endsAtRepetition: boolean
}

/**
 * Applies `ROCR_VISIBLE_DEVICES`, then to what it leaves the first one set of `HIP_VISIBLE_DEVICES`, `CUDA_VISIBLE_DEVICES`
 * and `GPU_DEVICE_ORDINAL`, whose numbers count what is left. A list ends where an entry is not a GPU: `-1` and a number that
 * is too large at its beginning hide all. Facts: ROCr's `amd_filter_device.cpp` and clr's `rocdevice.cpp`; but an empty list,
 * which clr overlooks, and `GPU_DEVICE_ORDINAL`, which it reads for OpenCL only, are taken as AMD documents them.
 *
 * @param gpus what KFD offers, in its order
 */
export function visibleDevices(environment: NodeJS.ProcessEnv, gpus: readonly KfdGpu[]): Visibility {
  const hiddenBy = new Map<number, { variable: string; value: string }>()
  const filter = (variable: string | undefined, from: readonly KfdGpu[], dialect: Dialect) => {
    const value = variable === undefined ? undefined : environment[variable]
    if (variable === undefined || value === undefined) return from
    const left = parseList(value, from, dialect)
    for (const { node } of from)
      if (!left.some((gpu) => gpu.node === node)) hiddenBy.set(node, { variable, value })
    return left
  }
  const afterRocr = filter('ROCR_VISIBLE_DEVICES', gpus, ROCR)
  const hipVariable = HIP_VARIABLES.find((name) => environment[name] !== undefined)
  const left = filter(hipVariable, afterRocr, HIP)
  return { visible: left.map(({ node }) => node), hiddenBy }
}

const HIP_VARIABLES = ['HIP_VISIBLE_DEVICES', 'CUDA_VISIBLE_DEVICES', 'GPU_DEVICE_ORDINAL']

/**
 * The variables that leave one GPU: set before HIP starts, they keep it from touching another one.
 * @param gpus what KFD offers, in its order
 */
export function pinTo(
  environment: NodeJS.ProcessEnv,
  gpus: readonly KfdGpu[],
  gpu: KfdGpu,
): Record<string, string> {
  const pin: Record<string, string> = { ROCR_VISIBLE_DEVICES: String(gpus.indexOf(gpu)) }
  // The others count what ROCR_VISIBLE_DEVICES leaves: a number from before would now hide everything.
  for (const name of HIP_VARIABLES) if (environment[name] !== undefined) pin[name] = '0'
  return pin
}

/** Without variables of these names. */
export function unset(names: readonly string[]): Pin {
  return Object.fromEntries(names.map((name) => [name, null]))
}

/** An environment with the variables of a pin. */
export function pinned(environment: NodeJS.ProcessEnv, pin: Pin): NodeJS.ProcessEnv {
  const result = { ...environment }
  for (const [name, value] of Object.entries(pin)) {
    if (value === null) delete result[name]
    else result[name] = value
  }
  return result
}

function parseList(value: string, gpus: readonly KfdGpu[], dialect: Dialect): KfdGpu[] {
  const left: KfdGpu[] = []
  for (const entry of value === '' ? [] : value.split(',')) {
    const index = dialect.resolve(entry, gpus)
    const gpu = index === null ? undefined : gpus[index]
    if (gpu === undefined || (dialect.endsAtRepetition && left.includes(gpu))) break
    if (!left.includes(gpu)) left.push(gpu)
  }
  return left
}

/** A number in C's notation, or a serial number `GPU-…` or its unique beginning, in any case of letters. */
function resolveForRocr(entry: string, gpus: readonly KfdGpu[]): number | null {
  const token = entry.trim().toUpperCase()
  if (!token.startsWith('G')) return /^\+?(0X[0-9A-F]+|0[0-7]*|[1-9]\d*)$/.test(token) ? parseC(token) : null
  if (token.length < 5 || token.length > 20) return null
  const matches = gpus.filter(({ uniqueId }) => `GPU-${uniqueId?.toUpperCase()}`.startsWith(token))
  return matches.length === 1 ? gpus.indexOf(matches[0] as KfdGpu) : null
}

function parseC(token: string): number {
  const digits = token.replace(/^\+/, '')
  if (/^0X/.test(digits)) return Number.parseInt(digits.slice(2), 16)
  return Number.parseInt(digits, digits.startsWith('0') ? 8 : 10)
}

/** A number without sign, space or leading zero, or a serial number or a part of one. */
function resolveForHip(entry: string, gpus: readonly KfdGpu[]): number | null {
  if (/^(0|[1-9]\d*)$/.test(entry)) return Number(entry)
  if (!entry.includes('GPU-')) return null
  const index = gpus.findIndex(({ uniqueId }) => `GPU-${uniqueId ?? 'XX'}`.includes(entry))
  return index < 0 ? null : index
}

const ROCR: Dialect = { resolve: resolveForRocr, endsAtRepetition: true }
const HIP: Dialect = { resolve: resolveForHip, endsAtRepetition: false }
