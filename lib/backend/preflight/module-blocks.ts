import type { Sysroot } from './sysroot.ts'

/** What tells the kernel, or modprobe(8), not to load the driver. */
export interface ModuleBlock {
  /** Where it stands: `/proc/cmdline`, or a file of modprobe.d with the number of the line. */
  place: string
  path: string
  /** As it stands there. */
  text: string
  /** Holds for a driver that is asked for by name too, as `modprobe amdgpu` does. */
  always: boolean
}

const CMDLINE = '/proc/cmdline'
/** In the order of their weight (modprobe.d(5)): a file hides one of the same name in a later folder. */
const FOLDERS = [
  '/etc/modprobe.d',
  '/run/modprobe.d',
  '/usr/local/lib/modprobe.d',
  '/usr/lib/modprobe.d',
  '/lib/modprobe.d',
]
const OFF = ['0', 'n', 'N', 'off', 'no']

/** What keeps amdgpu from being loaded, from the kernel command line and modprobe's configuration. */
export function findBlocks(root: Sysroot): ModuleBlock[] {
  return [...onCommandLine(root), ...inFiles(root)]
}

function onCommandLine(root: Sysroot): ModuleBlock[] {
  const words = (root.text(CMDLINE) ?? '').split(/\s+/).filter(Boolean)
  return words.flatMap((text) => {
    const [key = '', value = ''] = text.split('=', 2)
    const names = value.split(',')
    const name = key.replaceAll('-', '_')
    const isBlacklist = /^(rd\.)?(modprobe\.blacklist|module_blacklist|driver\.blacklist)$/.test(name)
    const blocks =
      text === 'nomodeset' ||
      (name === 'amdgpu.modeset' && OFF.includes(value)) ||
      (isBlacklist && names.includes('amdgpu'))
    return blocks ? [{ place: CMDLINE, path: CMDLINE, text, always: !name.endsWith('.blacklist') }] : []
  })
}

function inFiles(root: Sysroot): ModuleBlock[] {
  const files = new Map<string, string>()
  for (const folder of FOLDERS)
    for (const name of root.list(folder))
      if (name.endsWith('.conf') && !files.has(name)) files.set(name, `${folder}/${name}`)
  return [...files.values()].flatMap((path) =>
    (root.text(path) ?? '').split('\n').flatMap((line, index) => {
      const text = line.trim().replace(/\s+/g, ' ')
      const [command, module, ...rest] = text.split(' ')
      if (module !== 'amdgpu') return []
      const always =
        (command === 'install' && /(^|\/)(false|true|:)$/.test(rest[0] ?? '')) ||
        (command === 'options' &&
          rest.some((option) => OFF.includes(/^modeset=(.*)$/.exec(option)?.[1] ?? '')))
      return always || command === 'blacklist'
        ? [{ place: `${path}, line ${index + 1}`, path, text, always }]
        : []
    }),
  )
}
