/** The names of AMD's chips, and which code runs on which chip. */

/** A chip as ROCm numbers it. */
export interface GfxVersion {
  major: number
  minor: number
  step: number
}

/** `gfx90a` for 9, 0, 10: the minor number and the step are written in hexadecimal. */
export function gfxName({ major, minor, step }: GfxVersion): string {
  return `gfx${major}${minor.toString(16)}${step.toString(16)}`
}

/** Decodes the kernel's `gfx_target_version`, which is decimal: major * 10000 + minor * 100 + step. */
export function decodeTargetVersion(value: number): GfxVersion {
  return { major: Math.floor(value / 10_000), minor: Math.floor(value / 100) % 100, step: value % 100 }
}

/** The numbers in a name such as `gfx90a` or `gfx1151`, or null. */
export function parseGfx(name: string): GfxVersion | null {
  const parts = /^gfx(\d+)([0-9a-f])([0-9a-f])$/.exec(name)
  if (parts === null) return null
  const [, major = '', minor = '', step = ''] = parts
  return { major: Number(major), minor: Number.parseInt(minor, 16), step: Number.parseInt(step, 16) }
}

/** `10.3.0`, as `HSA_OVERRIDE_GFX_VERSION` takes it. */
export function gfxDotted(name: string): string | null {
  const version = parseGfx(name)
  return version && `${version.major}.${version.minor}.${version.step}`
}

/** Chips of each generic target (LLVM's "User Guide for AMDGPU Backend", generic processors; rocBLAS falls back alike). */
const GENERIC: Readonly<Record<string, readonly string[]>> = {
  'gfx9-generic': ['gfx900', 'gfx902', 'gfx904', 'gfx906', 'gfx909', 'gfx90c'],
  'gfx9-4-generic': ['gfx940', 'gfx941', 'gfx942', 'gfx950'],
  'gfx10-1-generic': ['gfx1010', 'gfx1011', 'gfx1012', 'gfx1013'],
  'gfx10-3-generic': ['gfx1030', 'gfx1031', 'gfx1032', 'gfx1033', 'gfx1034', 'gfx1035', 'gfx1036'],
  'gfx11-generic': ['gfx1100', 'gfx1101', 'gfx1102', 'gfx1103', 'gfx1150', 'gfx1151', 'gfx1152', 'gfx1153'],
  'gfx12-generic': ['gfx1200', 'gfx1201'],
}

/** The generic target that covers a chip, or null. */
export function genericTarget(gfx: string): string | null {
  return Object.keys(GENERIC).find((target) => GENERIC[target]?.includes(gfx)) ?? null
}

/** Whether HIP takes code for a target on a chip: native code, then generic code, then SPIR-V. */
export function runsOn(target: string, gfx: string): boolean {
  const name = target.split(':', 1)[0]
  return name === gfx || name === genericTarget(gfx) || name === 'amdgcnspirv'
}

/** Whether a chip is of a generation (GCN 1 to 4) for which no ROCm from 6.1 on brings code: Vega, gfx900, is the oldest. */
export function isUnsupported(gfx: string): boolean {
  const version = parseGfx(gfx)
  return version !== null && version.major < 9
}

/** PCI device ids of the same generations, first and last (Linux, `drivers/gpu/drm/amd/amdgpu/amdgpu_drv.c`, `pciidlist`). */
const UNSUPPORTED_DEVICES: readonly (readonly [number, number])[] = [
  [0x1304, 0x131d], // Kaveri
  [0x6600, 0x667f], // Oland, Bonaire, Hainan
  [0x6780, 0x67ff], // Tahiti, Hawaii, Polaris 10 and 11
  [0x6800, 0x683f], // Pitcairn, Cape Verde
  [0x6900, 0x6907], // Topaz
  [0x6920, 0x6939], // Tonga
  [0x694c, 0x694f], // Vega M, with a chip of Polaris
  [0x6980, 0x699f], // Polaris 12
  [0x6fdf, 0x6fdf], // Polaris 20
  [0x7300, 0x730f], // Fiji
  [0x9830, 0x9877], // Kabini, Mullins, Carrizo
  [0x98e4, 0x98e4], // Stoney
]

/** As {@link isUnsupported}, for a card whose chip the kernel does not tell. */
export function isUnsupportedDevice(deviceId: number): boolean {
  return UNSUPPORTED_DEVICES.some(([first, last]) => deviceId >= first && deviceId <= last)
}

/** Chips that exist only inside processors (LLVM's table marks them "APU"). */
const INTEGRATED: ReadonlySet<string> = new Set([
  'gfx801',
  'gfx810',
  'gfx902',
  'gfx909',
  'gfx90c',
  'gfx1013',
  'gfx1033',
  'gfx1035',
  'gfx1036',
  'gfx1037',
  'gfx1103',
  'gfx1150',
  'gfx1151',
  'gfx1152',
  'gfx1153',
])

export function isIntegrated(gfx: string): boolean {
  return INTEGRATED.has(gfx)
}

/** Chips with the same instructions, whose code is known to run under `HSA_OVERRIDE_GFX_VERSION`; best first. */
const SIMILAR: Readonly<Record<string, readonly string[]>> = {
  gfx90c: ['gfx900'],
  gfx1031: ['gfx1030'],
  gfx1032: ['gfx1030'],
  gfx1033: ['gfx1030'],
  gfx1034: ['gfx1030'],
  gfx1035: ['gfx1030'],
  gfx1036: ['gfx1030'],
  gfx1101: ['gfx1100'],
  gfx1102: ['gfx1100'],
  gfx1103: ['gfx1100', 'gfx1102'],
  gfx1152: ['gfx1150', 'gfx1151'],
  gfx1153: ['gfx1151', 'gfx1150'],
}

/** A similar chip for which there is code, or null. */
export function similarGfx(gfx: string, hasCode: (gfx: string) => boolean): string | null {
  return SIMILAR[gfx]?.find(hasCode) ?? null
}
