import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rocmEnvironment } from '../../../scripts/support/hip-compiler.mjs'
import { findRocm } from '../../../scripts/support/rocm.mjs'

const MAGIC = '__CLANG_OFFLOAD_BUNDLE__'

/**
 * The code objects of a HIP module for one chip, one of each bundle.
 * @param target e.g. `gfx1100`
 */
function codeObjects(module: string, target: string): Buffer[] {
  const bytes = readFileSync(module)
  const objects: Buffer[] = []
  for (let start = bytes.indexOf(MAGIC); start >= 0; start = bytes.indexOf(MAGIC, start + 1)) {
    const number = (at: number) => Number(bytes.readBigUInt64LE(start + at))
    let at = MAGIC.length + 8
    for (let left = number(MAGIC.length); left > 0; left--) {
      const [offset, size, length] = [number(at), number(at + 8), number(at + 16)]
      const id = bytes.toString('latin1', start + at + 24, start + at + 24 + length)
      if (id.endsWith(`-${target}`)) objects.push(bytes.subarray(start + offset, start + offset + size))
      at += 24 + length
    }
  }
  return objects
}

/**
 * The instructions of the kernels whose mangled name has a text, by name. Disassembled by the LLVM that compiles the module.
 * @param target e.g. `gfx1100`
 */
export function kernelCode(module: string, target: string, text: string): Map<string, string[]> {
  const rocm = findRocm()
  if ('problem' in rocm) throw new Error(rocm.problem)
  const env = rocmEnvironment(rocm.root, process.env)
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, args, { env, encoding: 'utf8', maxBuffer: 512 * 1024 * 1024 })
  const objdump = run(rocm.compiler, '--print-prog-name=llvm-objdump').trim()
  const folder = mkdtempSync(join(tmpdir(), 'whisper-hip-device-code-'))
  try {
    const kernels = new Map<string, string[]>()
    for (const object of codeObjects(module, target).filter((bytes) => bytes.includes(text))) {
      const path = join(folder, 'code-object')
      writeFileSync(path, object)
      for (const part of run(objdump, '-d', '--no-show-raw-insn', path).split(/\n(?=[0-9a-f]+ <)/)) {
        const name = /^[0-9a-f]+ <(\w+)>:/.exec(part)?.[1]
        if (name?.includes(text)) kernels.set(name, part.match(/^\s+\w+/gm)?.map((word) => word.trim()) ?? [])
      }
    }
    return kernels
  } finally {
    rmSync(folder, { recursive: true })
  }
}
