// @ts-check
/** What each published package consists of. */
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { FAMILIES, familyOf, hipPackageName, hipPackageNames } from '../../lib/backend/hip-packages.mjs'
import { BUILD_REPORT_FILE, damagedOutputs, missingOutputs, outputsOf } from './report.mjs'
import { BuildError } from './script.mjs'

/** @typedef {import('../../lib/backend/build-report.ts').BuildReport} BuildReport */

/** What npm puts into every package that has it, and what people look for. */
const TEXTS = ['LICENSE', 'THIRD_PARTY_LICENSES']
/** What the JavaScript reads at run time, beside itself. */
const LIBRARY = [
  ...['dist', 'docs', 'examples', 'README.md', 'CHANGELOG.md'],
  ...[
    'vendor/silero-vad',
    'vendor/silero-vad.json',
    'vendor/whisper-vocabulary',
    'vendor/whisper-vocabulary.json',
  ],
]
/** The recording of the demonstration, which lies in a tree that is not published with the library. */
const RECORDING = 'vendor/whisper.cpp/bindings/go/samples/jfk.wav'
/** What of the files of package.json is there to compile with, by how the paths begin. */
const SOURCES = ['CMakeLists.txt', 'binding', 'lib/', 'scripts/', 'vendor/whisper.cpp', 'vendor/zlib']
const NOT_SOURCES = ['scripts/install.mjs']
const SOURCE_PACKAGE = '@whisper-hip/source'
/** What the packages with a HIP module are for. */
const SYSTEM = 'linux-x64'
/** Processors with a package of the addon, and how people name them. @type {Record<string, string>} */
const PROCESSORS = { x64: 'x86-64', arm64: '64-bit ARM' }
export const ARCHITECTURES = Object.keys(PROCESSORS)
/** Of ROCm, by its first number. */
const VERSIONS = new Map([
  [6, '6.1 to 6.4'],
  [7, '7 to 10'],
])

/** @param {string} path */
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

/** @param {string} path @param {unknown} value */
function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)
}

/** @param {string} root @param {string} folder @param {string[]} paths */
function copy(root, folder, paths) {
  for (const path of paths) {
    if (!existsSync(join(root, path))) throw new BuildError(`${join(root, path)} is missing.`)
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    cpSync(join(root, path), join(folder, path), {
      recursive: true,
      filter: (from) => !from.endsWith('.js.map'),
    })
  }
}

/** @param {string} folder */
function begin(folder) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
}

/**
 * The library: JavaScript, types, documentation. Nothing runs when it is installed.
 * @param {string} root the checkout
 * @param {string} folder where it is put together
 * @param {string[]} addons names of the packages with an addon, of which a package manager installs the one for its machine
 */
export function stageLibrary(root, folder, addons) {
  begin(folder)
  copy(root, folder, [...LIBRARY, ...TEXTS, RECORDING])
  writeJson(join(folder, 'package.json'), libraryManifest(root, addons))
}

/** @param {string} root @param {string[]} addons */
function libraryManifest(root, addons) {
  const {
    scripts: _,
    devDependencies: __,
    files: ___,
    binary: ____,
    dependencies,
    ...manifest
  } = readJson(join(root, 'package.json'))
  const { version } = manifest
  const { 'node-addon-api': _____, 'node-api-headers': ______, ...needed } = dependencies
  // A package manager that shows a package only what it names has to be told of those that people install beside it.
  const peers = [...hipPackageNames(SYSTEM), SOURCE_PACKAGE]
  return {
    ...manifest,
    dependencies: needed,
    optionalDependencies: Object.fromEntries(addons.map((name) => [name, version])),
    peerDependencies: Object.fromEntries(peers.map((name) => [name, version])),
    peerDependenciesMeta: Object.fromEntries(peers.map((name) => [name, { optional: true }])),
  }
}

/**
 * What `npx whisper-hip build` compiles.
 * @param {string} root
 * @param {string} folder
 */
export function stageSources(root, folder) {
  begin(folder)
  /** @type {string[]} */
  const files = readJson(join(root, 'package.json')).files
  const [left, wanted] = [true, false].map((excluded) =>
    files.filter((path) => path.startsWith('!') === excluded).map((path) => path.replace(/^!/, '')),
  )
  const sources = (wanted ?? []).filter((path) => SOURCES.some((start) => path.startsWith(start)))
  copy(root, folder, [...sources.filter((path) => !NOT_SOURCES.includes(path)), ...TEXTS])
  for (const path of [...(left ?? []), 'vendor/whisper.cpp/bindings'])
    rmSync(join(folder, path), { recursive: true, force: true })
  stageManifest(root, folder, 'source')
}

/**
 * @param {string} root
 * @param {string} folder
 * @param {string} name of the folder below packages/
 * @param {Record<string, string | number>} words what is to be put in for {NAME}
 */
function stageManifest(root, folder, name, words = {}) {
  for (const file of ['package.json', 'README.md']) {
    const text = readFileSync(join(root, 'packages', name, file), 'utf8')
    const filled = text.replace(/\{(\w+)\}/g, (all, word) => String(words[word] ?? all))
    writeFileSync(join(folder, file), filled)
  }
  const { version } = readJson(join(root, 'package.json'))
  const manifest = readJson(join(folder, 'package.json'))
  if (manifest.version !== version)
    throw new BuildError(
      `packages/${name} is version ${manifest.version}, the library is version ${version}.`,
    )
}

/** Of the addon for a processor, as Node names it. @param {string} arch */
export const addonPackage = (arch) => `@whisper-hip/linux-${arch}`

/**
 * The processor that a build is for.
 * @param {string} build
 * @returns {string} as Node names it
 */
export function archOf(build) {
  const { arch } = readReport(build)
  if (!(arch in PROCESSORS))
    throw new BuildError(`There is no package for the build in ${build}, for ${arch}.`)
  return arch
}

/**
 * The addon and its CPU modules.
 * @param {string} root
 * @param {string} folder
 * @param {string} build a folder with a build
 */
export function stageAddon(root, folder, build) {
  const report = wholeBuild(root, build)
  const arch = archOf(build)
  begin(folder)
  copy(build, folder, [...outputsOf(report).filter((name) => name !== report.built.hip), BUILD_REPORT_FILE])
  copy(root, folder, TEXTS)
  stageManifest(root, folder, 'addon', {
    name: addonPackage(arch),
    arch,
    processor: PROCESSORS[arch] ?? arch,
  })
}

/**
 * The HIP module of a build.
 * @param {string} root
 * @param {string} folder
 * @param {string} build a folder with a build
 */
export function stageHip(root, folder, build) {
  const report = wholeBuild(root, build)
  const { hip } = report.built
  const hash = hip && report.sha256?.[hip]
  if (!hip || !hash) throw new BuildError(`${build} has no HIP module with a hash.`)
  begin(folder)
  copy(build, folder, [hip])
  const { rocm: _, ...facts } = report.hip // a folder of the machine that compiled it
  writeJson(join(folder, BUILD_REPORT_FILE), { ...report, hip: facts, sha256: { [hip]: hash } })
  writeFileSync(join(folder, 'SHA256SUMS'), `${hash}  ${hip}\n`)
  copy(root, folder, TEXTS)
  const { rocm, family } = purposeOf(build)
  const { cards } = FAMILIES[family]
  const name = hipPackageName(SYSTEM, rocm, family)
  stageManifest(root, folder, 'hip', { name, rocm, cards, versions: VERSIONS.get(rocm) ?? rocm })
}

/**
 * The ROCm that a HIP module is for, and the family of the first chip that it has code for, after which its package is named.
 * @param {string} build
 */
export function purposeOf(build) {
  const { hipVersion, gpuTargets } = readReport(build).hip
  const rocm = Number(String(hipVersion).split('.')[0])
  const family = familyOf(String(gpuTargets[0]))
  if (!VERSIONS.has(rocm) || family === null)
    throw new BuildError(
      `There is no package for the module in ${build}, of HIP ${hipVersion} and for ${gpuTargets.join(', ') || 'no GPU'}.`,
    )
  return { rocm, family }
}

/** @param {string} build @returns {BuildReport} */
function readReport(build) {
  const path = join(build, BUILD_REPORT_FILE)
  if (!existsSync(path)) throw new BuildError(`${build} holds no build: ${BUILD_REPORT_FILE} is missing.`)
  return readJson(path)
}

/** @param {string} root @param {string} build @returns {BuildReport} */
function wholeBuild(root, build) {
  const report = readReport(build)
  const { version } = readJson(join(root, 'package.json'))
  if (report.whisperHip !== version)
    throw new BuildError(
      `${build} is a build of version ${report.whisperHip}, the library is version ${version}.`,
    )
  const wrong = [...missingOutputs(build, report), ...damagedOutputs(build, report)]
  if (wrong.length > 0) throw new BuildError(`${build} is not what was built: ${wrong.join(', ')}.`)
  return report
}

/** @param {string} folder @returns {string[]} paths of all files, in order */
export function filesIn(folder, top = folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? filesIn(path, top) : [relative(top, path)]
    })
    .sort()
}

/**
 * Equal hashes mean equal packages.
 * @param {string} folder
 */
export function hashTree(folder) {
  const hash = createHash('sha256')
  for (const path of filesIn(folder)) {
    const bytes = readFileSync(join(folder, path))
    const mode = statSync(join(folder, path)).mode & 0o111 ? 'x' : '-'
    hash.update(`\0${path}\0${mode}\0${bytes.length}\0`).update(bytes)
  }
  return hash.digest('hex')
}
