#!/usr/bin/env node
// @ts-check
/**
 * Makes all packages of a release in `release/`, with their checksums, a manifest and a bill of materials (CycloneDX):
 *
 *   node scripts/release.mjs --dry-run [--out DIR] [--prebuild DIR]… [--hip DIR]… [--rocm 6|7]… [--targets LIST]
 *
 *   --dry-run        makes the packages and publishes nothing; without it they are published with npm, in the order of the manifest
 *   --out DIR        instead of release/
 *   --prebuild DIR   a folder with a build in place of new prebuilds; then dist/ is taken as it is, too. A release that is published has
 *                    one for each processor
 *   --hip DIR        a folder with a build with a HIP module, for the package of its ROCm
 *   --rocm 6|7       compiles the HIP modules in a Debian with ROCm, see scripts/rocm-toolchain.mjs: one for each family of GPUs
 *   --targets LIST   GPU architectures of --rocm, instead of all common ones; families without any are left out
 *
 * What is finished is not made again: compilers go on where they were, and a package is packed only if something in it changed.
 * The same sources and compilers give the same bytes.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { FAMILIES, familyOf } from '../lib/backend/hip-packages.mjs'
import { COPY, readRocm, toolchainFolder } from './support/debian-tree.mjs'
import { GLIBC_FLOOR } from './support/glibc-floor.mjs'
import { namedTargets } from './support/gpu-targets.mjs'
import { packageRoot, packageVersion } from './support/package.mjs'
import {
  ARCHITECTURES,
  addonPackage,
  archOf,
  filesIn,
  hashTree,
  purposeOf,
  stageAddon,
  stageHip,
  stageLibrary,
  stageSources,
} from './support/release-packages.mjs'
import { makeSbom } from './support/sbom.mjs'
import { BuildError, log, run } from './support/script.mjs'
import { crossCompilers, findProgram } from './support/toolchain.mjs'

/** What a package may have, as npm fetches it and as it lies in an app: users wait for the one, and images grow by the other. */
const MOST_BYTES = 60_000_000

/**
 * @typedef {import('../lib/backend/hip-packages.mjs').Family} Family
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
  const files = filesIn(folder)
  const unpackedBytes = files.reduce((sum, each) => sum + statSync(join(folder, each)).size, 0)
  if (Math.max(size, unpackedBytes) > MOST_BYTES)
    throw new BuildError(
      `${file} has ${size} bytes, unpacked ${unpackedBytes}, and ${MOST_BYTES} are allowed: name fewer --targets.`,
    )
  log(`${file}: ${(size / 1e6).toFixed(1)} MB, unpacked ${(unpackedBytes / 1e6).toFixed(1)} MB`)
  const sha256 = digest(path, 'sha256', 'hex')
  const integrity = `sha512-${digest(path, 'sha512', 'base64')}`
  return { name, file, bytes: size, unpackedBytes, files: files.length, sha256, integrity, contents }
}

/**
 * Compiles the modules for one ROCm.
 * @param {'6' | '7'} rocm
 * @param {string[] | null} wanted targets; null for all common ones
 * @returns {string[]} folders with builds, one for each family of GPUs
 */
function compileHip(rocm, wanted) {
  const families = /** @type {Family[]} */ (Object.keys(FAMILIES))
  return families.flatMap((family) => {
    const targets =
      wanted === null ? [family] : FAMILIES[family].chips.filter((chip) => wanted.includes(chip))
    if (targets.length === 0) return []
    const variables = [
      'WHISPER_HIP_BUILD=hip',
      `WHISPER_HIP_GLIBC=${GLIBC_FLOOR}`,
      `WHISPER_HIP_TARGETS=${targets.join(',')}`,
    ]
    const build = `build/rocm${rocm}-${family}`
    const command = `npm ci --ignore-scripts --no-audit --no-fund && node scripts/build.mjs ${build} && node scripts/check-elf.mjs ${build}/Release`
    const inTree = ['env', ...variables, 'sh', '-c', command]
    must(process.execPath, ['scripts/rocm-toolchain.mjs', '--rocm', rocm, '--', ...inTree])
    return [join(toolchainFolder(rocm), COPY, build, 'Release')]
  })
}

/**
 * @param {boolean} trial goes without those for processors that no compiler here is for
 * @returns {string[]} folders, one for each processor
 */
function makePrebuilds(trial) {
  if (process.platform !== 'linux')
    throw new BuildError(`The release is made on Linux, not on ${process.platform}.`)
  must('npm', ['run', '--silent', 'build:lib'])
  return ARCHITECTURES.flatMap((arch) => {
    const compilers = crossCompilers(arch)
    if (trial && arch !== process.arch && !findProgram(compilers.cxx)) {
      log(
        `without ${addonPackage(arch)}: ${compilers.cxx} was not found in PATH (Debian: ${compilers.package})`,
      )
      return []
    }
    must('npm', ['run', '--silent', 'prebuild', '--', arch])
    const prebuild = join(packageRoot, 'prebuilds', `linux-${arch}`)
    must(process.execPath, ['scripts/check-elf.mjs', prebuild])
    return [prebuild]
  })
}

/** @param {string | undefined} list of --targets */
function readTargets(list) {
  const names = list === undefined ? null : (namedTargets({ WHISPER_HIP_TARGETS: list })?.names ?? null)
  const unknown = names?.find((name) => familyOf(name) === null)
  if (unknown) throw new BuildError(`There is no package for ${unknown}, which --targets names.`)
  return names
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
      prebuild: { type: 'string', multiple: true },
      hip: { type: 'string', multiple: true, default: [] },
      rocm: { type: 'string', multiple: true, default: [] },
      targets: { type: 'string' },
    },
  })
  const rocms = values.rocm.map(readRocm)
  const targets = readTargets(values.targets)
  const out = resolve(values.out)
  const stage = join(out, 'stage')
  const manifestPath = join(out, 'manifest.json')
  const earlier = readManifest(manifestPath).packages

  const prebuilds = values.prebuild?.map((path) => resolve(path)) ?? makePrebuilds(values['dry-run'])
  const arches = prebuilds.map(archOf)
  const missing = ARCHITECTURES.filter((arch) => !arches.includes(arch))
  if (missing.length > 0 && !values['dry-run'])
    throw new BuildError(`A release that is published needs a --prebuild for ${missing.join(' and ')}, too.`)
  mkdirSync(stage, { recursive: true })
  /** @type {Packed[]} */
  const packages = []
  /** @param {string} name @param {(folder: string) => void} fill */
  const make = (name, fill) => {
    const folder = join(stage, name)
    fill(folder)
    packages.push(pack(out, folder, earlier))
    writeManifest(manifestPath, packages, earlier)
  }
  for (const [index, prebuild] of prebuilds.entries())
    make(`linux-${arches[index]}`, (folder) => stageAddon(packageRoot, folder, prebuild))
  make('source', (folder) => stageSources(packageRoot, folder))
  for (const build of [
    ...values.hip.map((path) => resolve(path)),
    ...rocms.flatMap((rocm) => compileHip(rocm, targets)),
  ]) {
    const { rocm, family } = purposeOf(build)
    make(`rocm${rocm}-${family}`, (folder) => stageHip(packageRoot, folder, build))
  }
  // Last: who installs it finds the others.
  make('whisper-hip', (folder) => stageLibrary(packageRoot, folder, arches.map(addonPackage)))
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
