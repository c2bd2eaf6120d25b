import type { Finding } from '../finding.ts'
import { gfxDotted, runsOn, similarGfx } from '../gfx.ts'
import { type GfxOverride, gfxOverride } from '../gfx-override.ts'
import type { Gpu } from '../gpus.ts'
import { finding, label, type Machine } from '../machine.ts'
import type { Situation } from '../reason-text.ts'
import { hasKernels } from '../tensile.ts'
import { type Pin, pinTo, unset } from '../visible-devices.ts'
import { otherPackage } from '../wanted-package.ts'

/** Checks of what the environment and the module make of a GPU that the kernel offers. */

export function checkVisibility(gpu: Gpu, machine: Machine): Finding | null {
  if (gpu.kfd === null || machine.visibility.visible.includes(gpu.kfd.node)) return null
  const { variable, value } = machine.visibility.hiddenBy.get(gpu.kfd.node) ?? { variable: '', value: '' }
  const gpus = machine.topology.gpus
  return finding(
    machine,
    'GPU_HIDDEN_BY_ENV',
    `${variable}=${JSON.stringify(value)} hides ${label(gpu)}, which is number ${gpus.indexOf(gpu.kfd)} of the ${gpus.length} ${gpus.length === 1 ? 'GPU' : 'GPUs'} that ROCm counts`,
    value.trim() === '' ? ['empty list'] : [],
    { variable },
  )
}

export function checkOverride(gpu: Gpu, machine: Machine): Finding | null {
  // A malformed value for one GPU makes ROCm give up on all of them.
  for (const other of [gpu, ...machine.gpus]) {
    const override = overrideOf(other, machine)
    if (override === null || override.gfx !== null) continue
    return finding(
      machine,
      'GFX_OVERRIDE_INVALID',
      `${override.variable}=${JSON.stringify(override.value)} is not of the form major.minor.step, such as 10.3.0: ROCm offers no GPU then`,
      suggestion(gpu, machine).situations,
      { ...suggestion(gpu, machine).facts, variable: override.variable },
    )
  }
  const override = overrideOf(gpu, machine)
  if (override === null || !override.crossesFamilies) return null
  const { situations, facts } = suggestion(gpu, machine)
  return finding(
    machine,
    'GFX_OVERRIDE_INVALID',
    `${override.variable}=${override.value} makes ROCm take ${label(gpu)}, a ${gpu.kfd?.gfx}, for a ${override.gfx}: a chip of another family, whose code can crash the machine`,
    situations,
    { ...facts, variable: override.variable },
  )
}

export function checkCode(gpu: Gpu, machine: Machine): Finding | null {
  const chip = effectiveGfx(gpu, machine)
  if (chip === null || hasCode(chip, machine)) return null
  const override = overrideOf(gpu, machine)
  const real = gpu.kfd?.gfx ?? chip
  const { situations, facts } = suggestion(gpu, machine)
  if (override !== null) situations.push('override')
  if (override !== null && hasCode(real, machine)) situations.push('override not needed')
  const targets = machine.module?.targets?.join(', ')
  return finding(
    machine,
    'NO_CODE_OBJECT_FOR_GPU',
    `The HIP module has code for ${targets}, not for ${chip}, ${override === null ? 'the chip of' : `for which ${override.variable}=${override.value} makes ROCm take`} ${label(gpu)}`,
    situations,
    {
      chip: real,
      ...facts,
      ...otherPackage([gpu], machine),
      ...(override === null ? {} : { variable: override.variable }),
    },
  )
}

/** What is worth knowing about a GPU that can be used. */
export function selectionNotes(gpu: Gpu, machine: Machine): Finding[] {
  const notes: Finding[] = machine.blank.map((variable) =>
    finding(
      machine,
      variable.startsWith('HSA_') ? 'GFX_OVERRIDE_INVALID' : 'ROCBLAS_KERNELS_MISSING',
      `${variable} is set to nothing: it is taken for not set, and unset before HIP starts`,
      ['blank variable'],
      { variable },
    ),
  )
  const override = overrideOf(gpu, machine)
  const real = gpu.kfd?.gfx ?? null
  if (override?.gfx && real !== null && override.gfx !== real && hasCode(real, machine))
    notes.push(
      finding(
        machine,
        'GFX_OVERRIDE_INVALID',
        `${override.variable}=${override.value} is not needed: the HIP module has code for ${real}, the chip of ${label(gpu)}, itself`,
        [],
        { variable: override.variable },
      ),
    )
  const others = machine.gpus.filter((other) => {
    const chip = effectiveGfx(other, machine)
    const isVisible = other.kfd !== null && machine.visibility.visible.includes(other.kfd.node)
    return other !== gpu && isVisible && chip !== null && !hasCode(chip, machine)
  })
  for (const other of others)
    notes.push(
      finding(
        machine,
        'OTHER_GPU_WITHOUT_CODE_OBJECT',
        `The HIP module has no code for ${label(other)}, a ${other.kfd?.gfx}, at which HIP would fail: only ${label(gpu)} is made visible to it`,
        [],
        { variable: `ROCR_VISIBLE_DEVICES=${pin(gpu, machine).ROCR_VISIBLE_DEVICES}` },
      ),
    )
  return notes
}

/** Variables that leave only this GPU, without those that are blank and would lead ROCm astray. */
export function pin(gpu: Gpu, machine: Machine): Pin {
  const blank = unset(machine.blank)
  return gpu.kfd === null
    ? blank
    : { ...blank, ...pinTo(machine.environment, machine.topology.gpus, gpu.kfd) }
}

/** The chip that ROCm will take a GPU for, or null when the kernel does not tell it. */
export function effectiveGfx(gpu: Gpu, machine: Machine): string | null {
  return overrideOf(gpu, machine)?.gfx ?? gpu.kfd?.gfx ?? null
}

export function overrideOf(gpu: Gpu, machine: Machine): GfxOverride | null {
  return gpu.kfd === null ? null : gfxOverride(machine.environment, gpu.kfd)
}

function hasCode(chip: string, { module }: Machine): boolean {
  return module?.targets?.some((target) => runsOn(target, chip)) ?? true
}

/** The override that would make a chip work whose own code or kernels are missing. */
export function suggestion(gpu: Gpu, machine: Machine) {
  const { module, tensile, root } = machine
  const chip = gpu.kfd?.gfx
  const similar =
    chip == null || module?.targets == null
      ? null
      : similarGfx(
          chip,
          (other) => hasCode(other, machine) && (tensile === null || hasKernels(root, tensile, other)),
        )
  const override = similar === null ? null : gfxDotted(similar)
  const situations: Situation[] = override === null ? [] : ['similar GPU']
  const node = String(gpu.kfd?.ordinal ?? 0)
  const overrideVariable =
    machine.gpus.length > 1 ? `HSA_OVERRIDE_GFX_VERSION_${node}` : 'HSA_OVERRIDE_GFX_VERSION'
  return { situations, facts: { node, ...(override === null ? {} : { override, overrideVariable }) } }
}
