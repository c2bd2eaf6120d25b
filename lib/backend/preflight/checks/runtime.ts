import { dirname } from 'node:path'
import { installCommand } from '../distribution.ts'
import type { Finding } from '../finding.ts'
import type { Gpu } from '../gpus.ts'
import { finding, label, type Machine } from '../machine.ts'
import type { Situation } from '../reason-text.ts'
import { isWheel } from '../rocm-folders.mjs'
import { isRecentRocm } from '../rocm-releases.mjs'
import type { MissingLibrary, Mixture } from '../runtime.ts'
import { hasKernels, listKernels } from '../tensile.ts'
import { otherPackage } from '../wanted-package.ts'
import { effectiveGfx, overrideOf, suggestion } from './selection.ts'

/** Checks of ROCm's libraries and files. */

export function checkRuntime(machine: Machine): Finding | null {
  const { runtime, module } = machine
  if (runtime === null || module === null) return null
  const hipVersion = module.hipVersion === null ? {} : { hipVersion: module.hipVersion }
  const builtWith = module.hipVersion === null ? '' : `, built with HIP ${module.hipVersion},`
  const [first] = runtime.missing
  if (first === undefined) {
    if (runtime.mixture === null) return null
    return finding(
      machine,
      'HIP_RUNTIME_VERSION_MISMATCH',
      describeMixture(runtime.mixture),
      ['mixture'],
      hipVersion,
    )
  }
  const other = runtime.missing.find(
    (library) => library.elsewhere === null && library.otherVersions.length > 0,
  )
  if (other !== undefined && first.elsewhere === null) {
    const by = other.neededBy === module.library.path ? `The HIP module${builtWith}` : other.neededBy
    return finding(
      machine,
      'HIP_RUNTIME_VERSION_MISMATCH',
      `${by} needs ${other.soname}, and this machine has ${other.otherVersions.join(', ')}`,
      [],
      { ...hipVersion, ...otherPackage(machine.gpus, machine) },
    )
  }
  return missingFinding(first, machine)
}

function missingFinding(first: MissingLibrary, machine: Machine): Finding {
  const { runtime, distribution, module } = machine
  const names = runtime?.missing.map(({ soname }) => soname).join(', ')
  const by = first.neededBy === module?.library.path ? 'the HIP module' : first.neededBy
  if (first.elsewhere !== null) {
    const place = dirname(first.elsewhere)
    const folders = new Set(
      runtime?.missing.flatMap(({ elsewhere }) => (elsewhere ? dirname(elsewhere) : [])),
    )
    const nowhere =
      runtime?.missing.flatMap(({ soname, elsewhere }) => (elsewhere === null ? soname : [])) ?? []
    const rest = nowhere.length === 0 ? '' : `; nowhere is ${nowhere.join(', ')}`
    const situations: Situation[] = ['installed elsewhere']
    if (runtime?.cacheIsOld) situations.push('cache is old')
    if (nowhere.length > 0) situations.push('installed in part')
    if (isWheel(dirname(place))) situations.push('Python packages')
    return finding(
      machine,
      'HIP_RUNTIME_MISSING',
      `The loader does not find ${first.soname}, which ${by} needs, although it is in ${place}${rest}`,
      situations,
      { folder: [...folders].join(':') },
    )
  }
  const { family, name } = distribution
  const rocm = ownRocm(machine) ?? distribution.rocm
  const install = installCommand({ family, rocm }, runtime?.wanted ?? [])
  const situations: Situation[] = []
  if (rocm !== null && !isRecentRocm(rocm)) situations.push('old archive')
  if (isRecentRocm(rocm) && install === null) situations.push('other archive')
  return finding(
    machine,
    'HIP_RUNTIME_MISSING',
    `The loader does not find ${names}, which ${by} needs: ROCm is not installed, or not as a whole`,
    situations,
    {
      distribution: name,
      ...(rocm === null ? {} : { archive: rocm }),
      ...(install === null ? {} : { install }),
    },
  )
}

/** Version of the ROCm that packages of the distribution have brought, which may come from a newer release of it; null where none did. */
function ownRocm({ runtime }: Machine): string | null {
  const hip = runtime?.libraries.find(({ soname }) => soname.startsWith('libamdhip64.so.'))
  return hip?.path.startsWith('/usr/lib') ? (runtime?.version ?? null) : null
}

function describeMixture(mixture: Mixture): string {
  if (mixture.kind === 'two versions')
    return `Two versions of one library would be loaded: ${mixture.path}, and ${mixture.otherSoname}, which ${mixture.neededBy} needs`
  return `${mixture.path} needs the function ${mixture.symbol}, which ${mixture.providers.join(' and ')} does not have: they come from different releases of ROCm`
}

export function checkKernels(gpu: Gpu, machine: Machine): Finding | null {
  const { root, tensile } = machine
  const chip = effectiveGfx(gpu, machine)
  if (tensile === null || chip === null || hasKernels(root, tensile, chip)) return null
  const override = overrideOf(gpu, machine)
  const { situations, facts } = suggestion(gpu, machine)
  if (tensile.isNamed) situations.push('named kernels')
  if (override !== null) situations.push('override')
  const others = listKernels(root, tensile)
  const content = !root.exists(tensile.folder)
    ? 'the folder does not exist'
    : others.length === 0
      ? 'there are none'
      : `there are some for ${others.join(', ')}`
  const named = tensile.isNamed ? ', which ROCBLAS_TENSILE_LIBPATH names' : ''
  return finding(
    machine,
    'ROCBLAS_KERNELS_MISSING',
    `rocBLAS has no kernels for ${chip}, as which ROCm takes ${label(gpu)}, in ${tensile.folder}${named}: ${content}`,
    situations,
    { chip, ...facts, ...(override === null ? {} : { variable: override.variable }) },
  )
}
