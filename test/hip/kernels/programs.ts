import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../../scripts/support/package.mjs'
import { scratchFolder } from '../../fixtures/material.ts'
import { compileWithEngine, cpuModule } from '../../native/engine-programs.ts'

interface Ended {
  lines: readonly string[]
  stderr: string
  code: number | null
  signal: NodeJS.Signals | null
  /** Names of the kernels that were launched. */
  launched: ReadonlySet<string>
}

/** The programs of this folder, compiled. Use it with `await using`. */
export async function compilePrograms() {
  const scratch = await scratchFolder()
  await compileWithEngine(scratch.path, ['hip/kernels/graphs', 'hip/kernels/operations'], [])
  return {
    /** Names of sizes; all of them without any. */
    graphs: (gfx: string, ...sizes: string[]) =>
      runOnStub(join(scratch.path, 'graphs'), gfx, [cpuModule(), ...sizes]),
    /** Computes an operation; without one it lists what the module claims. */
    operations: (gfx: string, ...operation: string[]) =>
      runOnStub(join(scratch.path, 'operations'), gfx, operation),
    [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
  }
}

/**
 * Runs a program with the real module on the stub of the HIP runtime.
 * @param gfx the chip of the device, e.g. `gfx1100`
 * @param args after the module
 */
function runOnStub(program: string, gfx: string, args: readonly string[]): Promise<Ended> {
  // rocBLAS wants files for the chip, which the stub has for few.
  const kernels = mkdtempSync(join(tmpdir(), 'whisper-hip-rocblas-'))
  writeFileSync(join(kernels, `TensileLibrary_lazy_${gfx}.dat`), '')
  const counts = join(kernels, 'counts')
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: join(packageRoot, 'build', 'test-hip', 'rocm', 'lib'),
    WHISPER_HIP_STUB: `gfx=${gfx}; counts=${counts}; fill=0`,
    ROCBLAS_TENSILE_LIBPATH: kernels,
  }
  return new Promise((resolve, reject) => {
    const module = join(packageRoot, 'build', 'Release', 'libggml-hip.so')
    const child = spawn(program, [module, ...args], { env })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (data) => {
      stdout += data
    })
    child.stderr.on('data', (data) => {
      stderr += data
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const numbers = existsSync(counts) ? JSON.parse(readFileSync(counts, 'utf8')) : {}
      rmSync(kernels, { recursive: true })
      const launched = new Set(Object.keys(numbers).flatMap((key) => /^kernel\.(.*)/.exec(key)?.[1] ?? []))
      resolve({ lines: stdout.split('\n').filter(Boolean), stderr, code, signal, launched })
    })
  })
}
