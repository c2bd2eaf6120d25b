import type { Finding } from '../finding.ts'
import { finding, type Machine } from '../machine.ts'
import { findAnywhere } from '../runtime.ts'

/** The library through which ROCm reaches the driver of Windows. */
const BRIDGE = ['librocdxg.so', 'librocdxg.so.1']
/** Marks the runtime for WSL that AMD shipped before ROCm 7. */
const OLD_RUNTIME = '/var/lib/dpkg/info/hsa-runtime-rocr4wsl-amdgpu.list'
/** The first ROCm that looks for the GPU of Windows by itself. */
const LOOKS_BY_ITSELF = [7, 13] as const

/** In WSL neither PCI nor KFD show the GPU: all goes through `/dev/dxg` to the driver of Windows. */
export function checkWsl(machine: Machine): Finding | null {
  const { root, environment, arch, runtime } = machine
  if (!root.exists('/dev/dxg'))
    return finding(
      machine,
      'WSL_DXG_MISSING',
      '/dev/dxg does not exist: Windows does not offer a GPU to this WSL',
    )
  if (root.exists(OLD_RUNTIME)) return null
  const bridge = findAnywhere(root, environment, arch, BRIDGE)
  if (bridge === null)
    return finding(
      machine,
      'WSL_DXG_NOT_ENABLED',
      'librocdxg.so is not installed: ROCm reaches the GPU of Windows through it',
    )
  const value = environment.HSA_ENABLE_DXG_DETECTION
  if (value === '1' || looksByItself(runtime?.version ?? null)) return null
  return finding(
    machine,
    'WSL_DXG_NOT_ENABLED',
    `HSA_ENABLE_DXG_DETECTION is ${value === undefined ? 'not set' : JSON.stringify(value)}: ROCm ${runtime?.version ?? 'before 7.13'} does not look for the GPU of Windows (${bridge}) without it`,
    ['bridge installed'],
  )
}

function looksByItself(version: string | null): boolean {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  return major > LOOKS_BY_ITSELF[0] || (major === LOOKS_BY_ITSELF[0] && minor >= LOOKS_BY_ITSELF[1])
}
