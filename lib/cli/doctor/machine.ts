import { mkdtempSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { release } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { packageRoot } from '../../backend/package-root.ts'
import { readSurroundings } from '../../backend/preflight/container.ts'
import { readIdentity } from '../../backend/preflight/identity.ts'
import { printable, Sysroot } from '../../backend/preflight/sysroot.ts'
import { cacheFolder } from '../../cache-folder.ts'
import type { BackendInfo } from '../../index.ts'
import { type Firmware, readFirmware } from './firmware.ts'

/** What a bug report needs beside `backendInfo()`: what the library runs in, and what the kernel offers to whom. */
export interface Machine {
  /** Of `os-release`. */
  os: { name: string | null; id: string | null; version: string | null }
  kernel: string | null
  /** As Node names it, e.g. `x64`. */
  architecture: string
  /** Versions. */
  node: string
  packages: Readonly<Record<string, string>>
  container: string | null
  /** In a user namespace: numbers of users and groups differ from those outside. */
  rootless: boolean
  wsl: 1 | 2 | null
  user: { name: string | null; uid: number; groups: readonly Group[] }
  deviceNodes: readonly DeviceNode[]
  /** The driver amdgpu: one that was installed beside the kernel has a version of its own, else it is the kernel's; null: not loaded. */
  driver: { version: string | null; origin: 'kernel' | 'package' } | null
  firmware: readonly Firmware[]
  cache: { folder: string | null; writable: boolean; problem: string | null }
  /** Variables of this library, of ROCm and of the loader, as they are set. */
  variables: Readonly<Record<string, string>>
}

export interface Group {
  gid: number
  name: string | null
}

/** A file below `/dev` through which a GPU is used. */
export interface DeviceNode {
  path: string
  /** E.g. `0660`; null: there is no such file. */
  mode: string | null
  owner: string | null
  group: Group | null
  /** Whether this process is in the group. */
  member: boolean
}

const VARIABLES =
  /^(AMD_|COMGR_|CUDA_VISIBLE_DEVICES$|DXG_|GGML_|GPU_|HCC_|HIP|HSA_|LD_(LIBRARY_PATH|PRELOAD)$|ROC|TENSILE_|WHISPER_HIP_|XDG_CACHE_HOME$|VIRTUAL_ENV$|CONDA_PREFIX$)/

/** Reads it through `WHISPER_HIP_SYSROOT`, like the preflight. Opens no device. */
export function readMachine(info: BackendInfo, environment: NodeJS.ProcessEnv): Machine {
  const root = new Sysroot(environment.WHISPER_HIP_SYSROOT || '/')
  const { container, rootless, wsl } = readSurroundings(root, environment)
  const identity = readIdentity(root, environment)
  const group = (gid: number): Group => ({ gid, name: identity.groupName(gid) })
  return {
    os: readSystem(root),
    kernel: kernelOf(root),
    architecture: process.arch,
    node: process.version,
    packages: {
      'whisper-hip': packageVersion(),
      ...(info.build === null ? {} : { 'whisper.cpp': info.build.whisperCpp, ggml: info.build.ggml }),
    },
    container,
    rootless,
    wsl,
    user: {
      name: identity.user,
      uid: identity.uid,
      groups: [...identity.groups].sort((a, b) => a - b).map(group),
    },
    deviceNodes: nodePaths(root).map((path) => {
      const stat = root.stat(path)
      return {
        path,
        mode: stat === null ? null : stat.mode.toString(8).padStart(4, '0'),
        owner: stat === null ? null : stat.uid === 0 ? 'root' : String(stat.uid),
        group: stat === null ? null : group(stat.gid),
        member: stat !== null && identity.groups.has(stat.gid),
      }
    }),
    driver: readDriver(root),
    firmware: readFirmware(
      root,
      info.devices.map(({ pciId }) => pciId),
    ),
    cache: examineCache(environment),
    variables: Object.fromEntries(
      Object.entries({ ...environment, ...info.environment })
        .filter((entry): entry is [string, string] => VARIABLES.test(entry[0]) && entry[1] !== undefined)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  }
}

function packageVersion(): string {
  return JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')).version
}

function readSystem(root: Sysroot): Machine['os'] {
  const text = root.text('/etc/os-release') ?? root.text('/usr/lib/os-release') ?? ''
  const field = (name: string) => new RegExp(`^${name}=["']?([^"'\\n]*)`, 'm').exec(text)?.[1]?.trim() || null
  const name = field('PRETTY_NAME') ?? field('NAME')
  return { name: name === null ? null : printable(name), id: field('ID'), version: field('VERSION_ID') }
}

function kernelOf(root: Sysroot): string | null {
  return (
    root.line('/proc/sys/kernel/osrelease') ??
    /^Linux version (\S+)/.exec(root.line('/proc/version') ?? '')?.[1] ??
    (root.isMade ? null : release())
  )
}

function readDriver(root: Sysroot): Machine['driver'] {
  const own = root.line('/sys/module/amdgpu/version')
  if (own !== null) return { version: own, origin: 'package' }
  return root.exists('/sys/module/amdgpu') ? { version: kernelOf(root), origin: 'kernel' } : null
}

/** The device of computing, also where it is missing, and all that are there of the cards. */
function nodePaths(root: Sysroot): string[] {
  const cards = root.list('/dev/dri').filter((name) => /^renderD\d+$/.test(name))
  const windows = root.exists('/dev/dxg') ? ['/dev/dxg'] : []
  return ['/dev/kfd', ...cards.map((name) => `/dev/dri/${name}`), ...windows]
}

/** Whether answers of trials and models can be kept. */
function examineCache(environment: NodeJS.ProcessEnv): Machine['cache'] {
  let folder: string | null = null
  try {
    folder = cacheFolder(environment)
    // Permission bits do not tell of file systems that are full or read-only.
    rmdirSync(mkdtempSync(join(nearestFolder(folder), '.whisper-hip-')))
    return { folder, writable: true, problem: null }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return { folder, writable: false, problem: folder === null ? message : (code ?? message) }
  }
}

/** The folder itself, or the one in which it would be made. */
function nearestFolder(path: string): string {
  try {
    if (statSync(path).isDirectory()) return path
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(path) !== path)
      return nearestFolder(dirname(path))
    throw error
  }
  throw Object.assign(new Error(`${basename(path)} is not a folder`), { code: 'ENOTDIR' })
}
