import { isErrorNamed } from '../../kinds.ts'
import { findSection } from './elf.ts'
import { isFailure } from './failure.ts'
import type { Sysroot } from './sysroot.ts'

const SECTION = '.hip_fatbin'
/** Begins a bundle of device code as clang writes it (clang's "Clang Offload Bundler"); compressed ones begin with `CCOB`. */
const MAGIC = '__CLANG_OFFLOAD_BUNDLE__'
const MOST_TARGETS = 256
const LONGEST_ID = 256

/**
 * The chips that a HIP module has code for, read from the module itself. All its bundles are for the same ones, so that the
 * first one tells.
 * @returns names such as `gfx90a:xnack-`; null when they are compressed, or it has none
 */
export function readCodeTargets(root: Sysroot, module: string): string[] | null {
  const file = root.open(module)
  if (isFailure(file)) return null
  try {
    const section = findSection(file, SECTION)
    if (section === null) return null
    const bytes = file.at(section.offset, Math.min(section.size, MOST_TARGETS * (24 + LONGEST_ID)))
    return parseBundle(bytes)
  } catch (error) {
    if (isErrorNamed(error, 'RangeError')) return null
    throw error
  } finally {
    file.close()
  }
}

function parseBundle(bytes: Buffer): string[] | null {
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) return null
  const count = Number(bytes.readBigUInt64LE(MAGIC.length))
  if (count > MOST_TARGETS) return null
  const targets: string[] = []
  let at = MAGIC.length + 8
  for (let index = 0; index < count; index++) {
    const length = Number(bytes.readBigUInt64LE(at + 16))
    if (length > LONGEST_ID || at + 24 + length > bytes.length) return null
    const id = bytes.toString('latin1', at + 24, at + 24 + length)
    const target = /^hip(?:v4)?-amdgcn-amd-amdhsa-[\w.]*-(gfx[0-9a-f]+[\w:+-]*|amdgcnspirv)$/.exec(id)?.[1]
    if (target !== undefined) targets.push(target)
    at += 24 + length
  }
  return targets.length === 0 ? null : targets
}
