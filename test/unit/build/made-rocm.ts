import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A program that is a shell script. */
export function script(path: string, body: string): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `#!/bin/sh\n${body}\n`)
  chmodSync(path, 0o755)
  return path
}

/** What a compiler says that knows some architectures and none else. */
export const compilerFor = (...targets: string[]): string => `
for argument in "$@"; do
  case $argument in --offload-arch=*) target=\${argument#*=} ;; esac
done
case " ${targets.join(' ')} " in *" $target "*) exit 0 ;; esac
echo "clang++: error: invalid target ID '$target'; format is a processor name" >&2
exit 1`

export interface MadeRocm {
  version?: string
  /** Packages that have files for CMake. */
  packages?: readonly string[]
  /** Body of the compiler's script; null for none. */
  compiler?: string | null
}

/** Makes a folder that looks like ROCm's. */
export function makeRocm(folder: string, made: MadeRocm = {}): string {
  const { version = '6.4.43484', packages = ['hip', 'hipblas', 'rocblas'] } = made
  const { compiler = compilerFor('gfx90a', 'gfx1030', 'gfx1100') } = made
  mkdirSync(folder, { recursive: true })
  for (const name of packages) {
    const cmake = join(folder, 'lib', 'cmake', name)
    mkdirSync(cmake, { recursive: true })
    writeFileSync(join(cmake, `${name}-config.cmake`), '')
    writeFileSync(join(cmake, `${name}-config-version.cmake`), `set(PACKAGE_VERSION "${version}")\n`)
  }
  if (compiler !== null) script(join(folder, 'lib', 'llvm', 'bin', 'clang++'), compiler)
  return folder
}
