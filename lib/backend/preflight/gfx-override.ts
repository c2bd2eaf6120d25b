import { gfxName, parseGfx } from './gfx.ts'
import type { KfdGpu } from './kfd.ts'

/** What `HSA_OVERRIDE_GFX_VERSION` makes of a GPU. */
export interface GfxOverride {
  variable: string
  value: string
  /** The chip that ROCm takes the GPU for; null when the value is malformed, upon which ROCm offers no GPU at all. */
  gfx: string | null
  /** It names a chip of another family: the GPU would get instructions that it does not have. */
  crossesFamilies: boolean
}

/**
 * Reads the variable for one GPU: `HSA_OVERRIDE_GFX_VERSION_N`, N being the number of its node, goes before the variable for
 * all; a blank one counts as not set. The format is `major.minor.step` in decimal. Facts: `libhsakmt/src/topology.c`.
 */
export function gfxOverride(environment: NodeJS.ProcessEnv, gpu: KfdGpu): GfxOverride | null {
  const own = `HSA_OVERRIDE_GFX_VERSION_${gpu.ordinal}`
  const variable = environment[own]?.trim() ? own : 'HSA_OVERRIDE_GFX_VERSION'
  const value = environment[variable]
  if (value === undefined || value.trim() === '') return null
  const version = parseVersion(value)
  const real = gpu.gfx === null ? null : parseGfx(gpu.gfx)
  return {
    variable,
    value,
    gfx: version && gfxName(version),
    crossesFamilies: version !== null && real !== null && version.major !== real.major,
  }
}

function parseVersion(value: string) {
  const parts = /^\s*(\d{1,3})\.\s*(\d{1,3})\.\s*(\d{1,3})$/.exec(value)
  const [major, minor, step] = (parts?.slice(1) ?? []).map(Number)
  if (major === undefined || minor === undefined || step === undefined) return null
  return major > 63 || minor > 255 || step > 255 ? null : { major, minor, step }
}
