#!/usr/bin/env node
// @ts-check
/**
 * Makes all packages of a release in `release/`, with their checksums, a manifest and a bill of materials (CycloneDX):
 *
 *   node scripts/release.mjs --dry-run [--out DIR] [--prebuild DIR] [--hip DIR]… [--rocm 6|7]… [--targets LIST]
 *
 *   --dry-run        makes the packages and publishes nothing; without it they are published with npm, in the order of the manifest
 *   --out DIR        instead of release/
 *   --prebuild DIR   a folder with a build in place of a new prebuild; then dist/ is taken as it is, too
 *   --hip DIR        a folder with a build with a HIP module, for the package of its ROCm
 *   --rocm 6|7       compiles the HIP module in a Debian with ROCm, see scripts/rocm-toolchain.mjs
 *   --targets LIST   GPU architectures of --rocm, instead of all common ones
 *
 * What is finished is not made again: compilers go on where they were, and a package is packed only if something in it changed.
 * The same sources and compilers give the same bytes.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { GLIBC_FLOOR } from './support/glibc-floor.mjs'
import { packageRoot, packageVersion } from './support/package.mjs'
import {
  filesIn,
  hashTree,
  rocmMajor,
  stageAddon,
  stageHip,
  stageLibrary,
  stageSources,
} from './support/release-packages.mjs'
import { makeSbom } from './support/sbom.mjs'
import { BuildError, log, run } from './support/script.mjs'

/** npm's registry refuses more, and users wait for it. */
const MOST_BYTES = 60_000_000

/**
 * @typedef {{ name: string, file: string, bytes: number, unpackedBytes: number, files: number, sha256: string, integrity: string, contents: string }} Packed
 */

/** @param {string} program @param {string[]} args */
function must(program, args, cwd = packageRoot) {
  const { status, error } = spawnSync(program, args, { cwd, stdio: ['ignore', 2, 2] })
  if (status !== 0)
    throw new BuildError(
      `${program} ${args.join(' ')} failed (${error?.message ?? `it ended with ${status}`}).`,
    )
}

/** @param {string} path @param {'sha256' | 'sha512'} algorithm @param {'hex' | 'base64'} form */
const digest = (path, algorithm, form) => createHash(algorithm).update(readFileSync(path)).digest(form)

/**
 * Packs a folder, unless that was done with the same contents.
 * @param {string} out
 * @param {string} folder
 * @param {Packed[]} earlier
 * @returns {Packed}
 */
function pack(out, folder, earlier) {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = `${name.replace('@', '').replace('/', '-')}-${version}.tgz`
  const path = join(out, file)
  const contents = hashTree(folder)
  const known = earlier.find((packed) => packed.name === name && packed.contents === contents)
  if (known && existsSync(path) && digest(path, 'sha256', 'hex') === known.sha256) {
    log(`${file} is up to date`)
    return known
  }
  must('npm', ['pack', folder, '--ignore-scripts', '--silent', '--pack-destination', out])
  const { size } = statSync(path)
  if (size > MOST_BYTES)
    throw new BuildError(`${file} has ${size} bytes, more than ${MOST_BYTES}: name fewer --targets.`)
  const files = filesIn(folder)
  const unpackedBytes = files.reduce((sum, each) => sum + statSync(join(folder, each)).size, 0)
  log(`${file}: ${(size / 1e6).toFixed(1)} MB, unpacked ${(unpackedBytes / 1e6).toFixed(1)} MB`)
  const sha256 = digest(path, 'sha256', 'hex')
  const integrity = `sha512-${digest(path, 'sha512', 'base64')}`
  return { name, file, bytes: size, unpackedBytes, files: files.length, sha256, integrity, contents }
}

/** @param {string} rocm @param {string | undefined} targets @returns {string} folder with the build */
function compileHip(rocm, targets) {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  const tree = join(cache, 'whisper-hip', rocm === '6' ? 'rocm-toolchain' : `rocm-toolchain-${rocm}`)
  if (rocm !== '6' && !existsSync(tree))
    throw new BuildError(
      `There is no tree with ROCm ${rocm} in ${tree}. Compile the module elsewhere, and name its folder with --hip.`,
    )
  const variables = [
    'WHISPER_HIP_BUILD=hip',
    `WHISPER_HIP_GLIBC=${GLIBC_FLOOR}`,
    ...(targets ? [`WHISPER_HIP_TARGETS=${targets}`] : []),
  ]
  const build = `build/rocm${rocm}`
  const command = `npm ci --ignore-scripts --no-audit --no-fund && node scripts/build.mjs ${build}`
  must(process.execPath, ['scripts/rocm-toolchain.mjs', tree, '--', 'env', ...variables, 'sh', '-c', command])
  return join(tree, 'whisper-hip', build, 'Release')
}

/** @param {string} path @returns {{ packages: Packed[] }} */
function readManifest(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return { packages: [] }
  }
}

async function release() {
  const { values } = parseArgs({
    options: {
      'dry-run': { type: 'boolean', default: false },
      out: { type: 'string', default: join(packageRoot, 'release') },
      prebuild: { type: 'string' },
      hip: { type: 'string', multiple: true, default: [] },
      rocm: { type: 'string', multiple: true, default: [] },
      targets: { type: 'string' },
    },
  })
  for (const rocm of values.rocm)
    if (rocm !== '6' && rocm !== '7')
      throw new BuildError(`Expected 6 or 7 for --rocm but received '${rocm}'.`)
  const out = resolve(values.out)
  const stage = join(out, 'stage')
  const manifestPath = join(out, 'manifest.json')
  const earlier = readManifest(manifestPath).packages
  mkdirSync(stage, { recursive: true })

  const prebuild = values.prebuild ? resolve(values.prebuild) : join(packageRoot, 'prebuilds', 'linux-x64')
  if (!values.prebuild) {
    if (process.platform !== 'linux' || process.arch !== 'x64')
      throw new BuildError(
        `The release is made on Linux on x64, not on ${process.platform} on ${process.arch}.`,
      )
    must('npm', ['run', '--silent', 'build:lib'])
    must('npm', ['run', '--silent', 'prebuild'])
    must(process.execPath, ['scripts/check-elf.mjs', prebuild])
  }
  /** @type {Packed[]} */
  const packages = []
  /** @param {string} name @param {(folder: string) => void} fill */
  const make = (name, fill) => {
    const folder = join(stage, name)
    fill(folder)
    packages.push(pack(out, folder, earlier))
    writeManifest(manifestPath, packages, earlier)
  }
  make('linux-x64', (folder) => stageAddon(packageRoot, folder, prebuild))
  make('source', (folder) => stageSources(packageRoot, folder))
  for (const build of [
    ...values.hip.map((path) => resolve(path)),
    ...values.rocm.map((rocm) => compileHip(rocm, values.targets)),
  ]) {
    const name = `linux-x64-rocm${rocmMajor(build)}`
    if (!existsSync(join(packageRoot, 'packages', name)))
      throw new BuildError(`There is no package ${name} for the module in ${build}.`)
    make(name, (folder) => stageHip(packageRoot, folder, build, name))
  }
  // Last: who installs it finds the others.
  make('whisper-hip', (folder) => stageLibrary(packageRoot, folder))
  rmSync(stage, { recursive: true })
  writeManifest(manifestPath, packages, [])
  writeFileSync(join(out, 'SHA256SUMS'), packages.map(({ sha256, file }) => `${sha256}  ${file}\n`).join(''))
  const sbom = makeSbom(packageRoot, packages)
  writeFileSync(join(out, 'sbom.cdx.json'), `${JSON.stringify(sbom, null, 2)}\n`)
  log(`${packages.length} packages are in ${out}`)
  if (values['dry-run']) return
  for (const { file } of packages)
    must('npm', ['publish', join(out, file), '--access', 'public', '--provenance'])
}

/** @param {string} path @param {Packed[]} packages @param {Packed[]} earlier kept until they are made again */
function writeManifest(path, packages, earlier) {
  const kept = earlier.filter(({ name }) => !packages.some((packed) => packed.name === name))
  const manifest = { version: packageVersion(packageRoot), packages: [...packages, ...kept] }
  writeFileSync(`${path}.new`, `${JSON.stringify(manifest, null, 2)}\n`)
  renameSync(`${path}.new`, path)
}

await run(release)
