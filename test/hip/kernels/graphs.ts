import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { packageRoot } from '../../../scripts/support/package.mjs'
import { requireToolchain } from '../../../scripts/support/toolchain.mjs'

const release = join(packageRoot, 'build', 'Release')
const whisper = join(packageRoot, 'vendor', 'whisper.cpp')

/** The program of graphs.cpp, compiled when it is not there yet. */
function graphsProgram(): string {
  const base = readdirSync(release).find((name) => name.startsWith('libggml-base-'))
  if (!base) throw new Error(`There is no build of the addon in ${release}.`)
  const source = join(packageRoot, 'test', 'hip', 'kernels', 'graphs.cpp')
  const { cxx } = requireToolchain()
  const folders = ['include', 'src', 'ggml/include', 'ggml/src'].map((folder) => `-I${join(whisper, folder)}`)
  const registry = ['ggml-backend-reg.cpp', 'ggml-backend-dl.cpp'].map((file) =>
    join(whisper, 'ggml/src', file),
  )
  const defines = ['GGML_BACKEND_DL', 'GGML_BACKEND_SHARED', 'GGML_SHARED', 'WHISPER_VERSION=""']
  const args = [
    ...[
      '-std=c++17',
      '-O1',
      '-w',
      ...defines.map((define) => `-D${define}`),
      ...folders,
      source,
      ...registry,
    ],
    ...[`-L${release}`, `-l:${base}`, '-Wl,-rpath,$ORIGIN/../Release', '-ldl', '-pthread'],
  ]
  const hash = createHash('sha256')
    .update(JSON.stringify([cxx, args]))
    .update(readFileSync(source))
  const program = join(packageRoot, 'build', 'test-hip', `graphs-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(program)) return program
  mkdirSync(dirname(program), { recursive: true })
  const { status, stderr } = spawnSync(cxx, [...args, '-o', `${program}.new`], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${source} cannot be compiled: ${stderr}`)
  renameSync(`${program}.new`, program)
  return program
}

interface Ended {
  lines: readonly string[]
  stderr: string
  code: number | null
  signal: NodeJS.Signals | null
  /** Names of the kernels that were launched. */
  launched: ReadonlySet<string>
}

/**
 * Runs the program with the real module on the stub of the HIP runtime.
 * @param gfx the chip of the device, e.g. `gfx1100`
 * @param args after the modules
 */
export function runGraphs(gfx: string, ...args: string[]): Promise<Ended> {
  // rocBLAS wants files for the chip, which the stub has for few.
  const kernels = mkdtempSync(join(tmpdir(), 'whisper-hip-rocblas-'))
  writeFileSync(join(kernels, `TensileLibrary_lazy_${gfx}.dat`), '')
  const counts = join(kernels, 'counts')
  const cpu = readdirSync(release).find((name) => name.startsWith('libggml-cpu')) ?? ''
  const modules = [join(release, 'libggml-hip.so'), join(release, cpu)]
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: join(packageRoot, 'build', 'test-hip', 'rocm', 'lib'),
    WHISPER_HIP_STUB: `gfx=${gfx}; counts=${counts}`,
    ROCBLAS_TENSILE_LIBPATH: kernels,
  }
  return new Promise((resolve, reject) => {
    const child = spawn(graphsProgram(), [...modules, ...args], { env })
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
