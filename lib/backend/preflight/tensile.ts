import { dirname, normalize } from 'node:path'
import { genericTarget } from './gfx.ts'
import type { Sysroot } from './sysroot.ts'

/** The kernels of rocBLAS: files of their own, by chip, made by its generator Tensile. */
export interface TensileLibrary {
  /** Where rocBLAS looks for them. */
  folder: string
  /** Named by `ROCBLAS_TENSILE_LIBPATH`. */
  isNamed: boolean
}

/** The chip in the name of a file or of a folder for one chip. */
const CHIP = /^(?:(?:TensileLibrary|Kernels).*[_-])?(gfx(?:\d+(?:-\d)?-generic|[0-9a-f]{3,4}))(?![0-9a-f])/
const EXTENSIONS = ['.dat', '.dat.zlib', '.yaml']

/**
 * The folder in which rocBLAS looks for its kernels (its `tensile_host.cpp`, `initialize`).
 * @param library path of librocblas as the loader finds it
 */
export function findTensileLibrary(
  root: Sysroot,
  environment: NodeJS.ProcessEnv,
  library: string,
): TensileLibrary {
  const named = environment.ROCBLAS_TENSILE_LIBPATH
  if (named !== undefined && named !== '') return { folder: named, isNamed: true }
  const folders = [library, root.realpath(library) ?? library].map(dirname)
  const places = folders.flatMap((folder) => [
    `${folder}/../../Tensile/library`,
    `${folder}/library`,
    `${folder}/../rocblas/library`,
    `${folder}/../Tensile/library`,
    `${folder}/rocblas/library`,
    // Debian puts the version in between.
    ...root.list(`${folder}/rocblas`).map((version) => `${folder}/rocblas/${version}/library`),
  ])
  const usual = `${folders[0]}/rocblas/library`
  return { folder: places.find((place) => root.exists(place)) ?? usual, isNamed: false }
}

/** Whether rocBLAS would find kernels for a chip: of its own or of its generic target, loaded lazily or at once. */
export function hasKernels(root: Sysroot, { folder }: TensileLibrary, gfx: string): boolean {
  const generic = genericTarget(gfx)
  const chips = generic === null ? [gfx] : [gfx, generic]
  for (const chip of chips) {
    const place = root.exists(`${folder}/${chip}`) ? `${folder}/${chip}` : folder
    const names = [`TensileLibrary_lazy_${chip}`, `TensileLibrary_${chip}`]
    if (names.some((name) => isReadable(root, `${place}/${name}`))) return true
  }
  // One list for all chips: then the code of each is in a file with the chip's name.
  const place = root.exists(`${folder}/${gfx}`) ? `${folder}/${gfx}` : folder
  const isCode = new RegExp(`${gfx}(?![0-9a-f]).*co$`)
  return isReadable(root, `${place}/TensileLibrary`) && root.list(place).some((name) => isCode.test(name))
}

/** The first file with kernels for a chip that is empty, or null. */
export function damagedKernels(root: Sysroot, { folder }: TensileLibrary, gfx: string): string | null {
  const isOfChip = new RegExp(`${gfx}(?![0-9a-f]).*\\.(dat|co|hsaco|zlib|yaml)$`)
  for (const place of [folder, `${folder}/${gfx}`]) {
    // Beside a made machine there can be a made runtime, whose kernels stand for real ones.
    if (root.isMade && root.isHollow(place)) continue
    const path = root
      .list(place)
      .filter((name) => isOfChip.test(name))
      .map((name) => normalize(`${place}/${name}`))
      .find((path) => root.stat(path)?.size === 0)
    if (path !== undefined) return path
  }
  return null
}

/** The chips that the folder has kernels for, sorted. */
export function listKernels(root: Sysroot, { folder }: TensileLibrary): string[] {
  const chips = root.list(folder).flatMap((name) => CHIP.exec(name)?.[1] ?? [])
  return [...new Set(chips)].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}

function isReadable(root: Sysroot, stem: string): boolean {
  return EXTENSIONS.some((extension) => {
    const file = root.open(`${stem}${extension}`)
    if ('errno' in file) return false
    file.close()
    return true
  })
}
