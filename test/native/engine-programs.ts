import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { packageRoot } from '../../lib/backend/package-root.ts'

const run = promisify(execFile)
/** Found from the package, since this file is bundled for bench/. */
const root = packageRoot()
const binding = join(root, 'binding')
const vendored = join(root, 'vendor', 'whisper.cpp')
const release = join(root, 'build', 'Release')
const named = (start: string) =>
  readdirSync(release).find((name) => name.startsWith(start) && name.endsWith('.so')) ?? ''

/** The CPU module of build/Release. */
export const cpuModule = () => join(release, named('libggml-cpu'))

/** What the engine is made of and needs, without Node and whisper.cpp. */
const sources = [
  ...['engine', 'engine/cache', 'engine/graph', 'engine/search'].flatMap((folder) =>
    readdirSync(join(binding, folder))
      .filter((name) => name.endsWith('.cpp'))
      .map((name) => join(binding, folder, name)),
  ),
  ...['buffer_pages', 'compute', 'cpu_module', 'gpu_state', 'gpu_watch', 'graph_record', 'join_nodes']
    .concat(['node_signature', 'operation_times'])
    .map((name) => join(binding, 'backend', `${name}.cpp`)),
  ...['abort', 'log'].map((name) => join(binding, 'support', `${name}.cpp`)),
  ...['ggml-backend-reg', 'ggml-backend-dl'].map((name) => join(vendored, 'ggml', 'src', `${name}.cpp`)),
]

/**
 * Compiles programs with the engine into `folder`; each is linked with the ggml of build/Release.
 * @param programs their paths in the checkout, without the extension
 * @param more sources that they need besides, with flags of their own
 */
export async function compileWithEngine(
  folder: string,
  programs: readonly string[],
  flags: readonly string[],
  more: readonly { path: string; flags: readonly string[] }[] = [],
): Promise<void> {
  const systems = ['ggml/include', 'ggml/src', 'include', 'src'].flatMap((name) => [
    '-isystem',
    join(vendored, name),
  ])
  const common = ['-std=c++17', '-O1', '-g1', '-D_GLIBCXX_ASSERTIONS', '-DGGML_BACKEND_DL', ...flags]
  const own = programs.map((name) => join(root, `${name}.cpp`))
  const warnings = ['-Wall', '-Wextra', '-Werror']
  const waiting = [
    ...more,
    ...own.map((path) => ({ path, flags: warnings })),
    ...sources.map((path) => ({ path, flags: [] as readonly string[] })),
  ]
  const object = (path: string) => join(folder, `${basename(path, '.cpp')}.o`)
  const objects = [...more.map(({ path }) => path), ...sources].map(object)
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const output = ['-c', next.path, '-o', object(next.path)]
        await run('g++', [...common, ...next.flags, `-I${binding}`, ...systems, ...output])
      }
    }),
  )
  for (const path of own) {
    const libraries = [
      `-L${release}`,
      `-l:${named('libggml-base-')}`,
      `-Wl,-rpath,${release}`,
      '-ldl',
      '-pthread',
    ]
    await run('g++', [
      ...flags,
      object(path),
      ...objects,
      ...libraries,
      '-o',
      join(folder, basename(path, '.cpp')),
    ])
  }
}

/** The lines that a program of checks prints, without those of ggml. */
export async function linesOf(
  program: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<string[]> {
  const { stdout } = await run(program, args, { env: { PATH: process.env.PATH, ...env }, maxBuffer: 1 << 26 })
  return stdout.trim().split('\n')
}

const flags = /^flags\s*:.*/m
/** What WHISPER_HIP_CPU may name on this processor. */
export function usableKernels(cpuinfo: string): string[] {
  const features = cpuinfo.match(flags)?.[0].split(' ') ?? []
  const has = (...names: string[]) => names.every((name) => features.includes(name))
  return [
    ...(has('avx512bw', 'avx512dq', 'avx512vl', 'avx512_vnni') ? ['avx512-vnni'] : []),
    ...(has('avx2', 'fma', 'f16c') ? ['avx2'] : []),
    'none',
  ]
}
