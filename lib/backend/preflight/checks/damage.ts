import { dirname } from 'node:path'
import { reinstallCommand } from '../distribution.ts'
import type { Finding } from '../finding.ts'
import type { Gpu } from '../gpus.ts'
import { finding, type Machine } from '../machine.ts'
import type { Situation } from '../reason-text.ts'
import { damagedKernels } from '../tensile.ts'
import { effectiveGfx } from './selection.ts'

/** Checks of ROCm's files themselves: there, and not what they should be. */

export function checkLibraries(machine: Machine): Finding | null {
  const { runtime, module } = machine
  const [first, ...others] = runtime?.damaged ?? []
  if (first === undefined) return null
  const { path, problem, soname, neededBy, elsewhere } = first
  const by = neededBy === module?.library.path ? 'the HIP module' : neededBy
  const more = others.length === 0 ? '' : `; so are ${others.map((other) => other.path).join(', ')}`
  const situations = situationsOf(machine, path, problem)
  if (elsewhere !== null) situations.push('installed elsewhere')
  return finding(
    machine,
    'HIP_RUNTIME_DAMAGED',
    `The file ${path}, by which ${by} would be given ${soname}, is damaged: it ${problem}${more}`,
    situations,
    { ...factsOf(machine, path), ...(elsewhere === null ? {} : { folder: dirname(elsewhere) }) },
  )
}

export function checkKernelFiles(gpu: Gpu, machine: Machine): Finding | null {
  const { root, tensile } = machine
  const chip = effectiveGfx(gpu, machine)
  const path = tensile === null || chip === null ? null : damagedKernels(root, tensile, chip)
  if (path === null) return null
  return finding(
    machine,
    'HIP_RUNTIME_DAMAGED',
    `The file ${path}, which holds kernels of rocBLAS for ${chip}, is damaged: it is empty`,
    situationsOf(machine, path, 'is empty'),
    factsOf(machine, path),
  )
}

function situationsOf(machine: Machine, path: string, problem: string): Situation[] {
  const situations: Situation[] = []
  if (problem.includes('EACCES')) situations.push('unreadable')
  if (problem.includes('Git LFS')) situations.push('pointer of Git LFS')
  if (machine.runtime?.libraryPath.includes(dirname(path))) situations.push('in LD_LIBRARY_PATH')
  return situations
}

function factsOf({ distribution }: Machine, path: string) {
  const command = reinstallCommand(distribution, path)
  return { path, libraryFolder: dirname(path), ...(command === null ? {} : { reinstall: command }) }
}
