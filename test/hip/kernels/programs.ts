import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../../lib/backend/package-root.ts'
import { scratchFolder } from '../../fixtures/material.ts'
import { compileWithEngine } from '../../native/engine-programs.ts'

interface Ended {
  lines: readonly string[]
  stderr: string
  code: number | null
  signal: NodeJS.Signals | null
  /** What the stub has counted: see its README. */
  counts: Readonly<Record<string, number>>
}

/**
 * Compiles programs for the real HIP module on the stub of its runtime. Use it with `await using`.
 * @param paths in the checkout, without the extension
 */
export async function programsOnStub(...paths: string[]) {
  const scratch = await scratchFolder()
  await compileWithEngine(scratch.path, paths, [])
  return {
    /**
     * Runs one.
     * @param gfx the chip of the device, e.g. `gfx1100`
     * @param args after the module
     */
    run: (program: string, gfx: string, ...args: string[]) =>
      runOnStub(join(scratch.path, program), gfx, args),
    [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
  }
}

function runOnStub(program: string, gfx: string, args: readonly string[]): Promise<Ended> {
  const build = join(packageRoot(), 'build')
  // rocBLAS wants files for the chip, which the stub has for few.
  const kernels = mkdtempSync(join(tmpdir(), 'whisper-hip-rocblas-'))
  writeFileSync(join(kernels, `TensileLibrary_lazy_${gfx}.dat`), '')
  const file = join(kernels, 'counts')
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: join(build, 'test-hip', 'rocm', 'lib'),
    WHISPER_HIP_STUB: `gfx=${gfx}; counts=${file}; fill=0`,
    ROCBLAS_TENSILE_LIBPATH: kernels,
  }
  return new Promise((resolve, reject) => {
    const child = spawn(program, [join(build, 'Release', 'libggml-hip.so'), ...args], { env })
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
      const counts = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
      rmSync(kernels, { recursive: true })
      resolve({ lines: stdout.split('\n').filter(Boolean), stderr, code, signal, counts })
    })
  })
}
