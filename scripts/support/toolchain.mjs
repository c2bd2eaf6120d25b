// @ts-check
import { spawnSync } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installCommand, packageManager, readOsRelease } from './distribution.mjs'
import { BuildError } from './script.mjs'

const MIN_CMAKE = '3.21'

/** Processors as compilers name them, and as Node does. */
const ARCHITECTURES = new Map([
  ['x86_64', 'x64'],
  ['aarch64', 'arm64'],
])

/**
 * The compilers for another processor, by their names in Debian and Ubuntu.
 * @param {string} arch as Node names it
 */
export function crossCompilers(arch) {
  const [processor] = [...ARCHITECTURES].find(([, name]) => name === arch) ?? [arch]
  const prefix = `${processor}-linux-gnu`
  return { c: `${prefix}-gcc`, cxx: `${prefix}-g++`, package: `g++-${prefix.replace('_', '-')}` }
}

/** Packages that bring what a build needs, by the distribution's package manager. */
const PACKAGES = {
  apt: { compiler: 'g++', cmake: 'cmake', make: 'make' },
  dnf: { compiler: 'gcc-c++', cmake: 'cmake', make: 'make' },
  pacman: { compiler: 'gcc', cmake: 'cmake', make: 'make' },
  zypper: { compiler: 'gcc-c++', cmake: 'cmake', make: 'make' },
  apk: { compiler: 'g++', cmake: 'cmake', make: 'make' },
}

/**
 * @typedef {'compiler' | 'cmake' | 'make'} Need
 * @typedef {{ need: Need, problem: string }} Missing `problem` is a sentence that names the program
 * @typedef {object} Toolchain
 * @property {string} c
 * @property {string} cxx
 * @property {string} compiler first line of its version
 * @property {string} processor that it compiles for, as compilers name it
 * @property {string} arch the same, as Node names it
 * @property {string} cmake
 * @property {string} cmakeVersion
 * @property {string} generator
 */

/**
 * Absolute path of a program, as a shell would find it.
 * @param {string} name
 * @param {NodeJS.ProcessEnv} env
 * @returns {string | null}
 */
export function findProgram(name, env = process.env) {
  const candidates = name.includes('/')
    ? [name]
    : (env.PATH ?? '').split(delimiter).map((folder) => join(folder, name))
  for (const candidate of candidates) {
    try {
      accessSync(candidate, constants.X_OK)
      if (statSync(candidate).isFile()) return candidate
    } catch {
      // not this one
    }
  }
  return null
}

/**
 * One message for everything that is missing, with the command that installs it on this distribution.
 * @param {Missing[]} missing
 * @param {string} osRelease contents of /etc/os-release
 * @param {boolean} root whether the user is root
 */
export function missingProgramsMessage(missing, osRelease, root) {
  const problems = missing.map(({ problem }) => problem).join(' ')
  const manager = packageManager(osRelease)
  if (!manager) return `${problems} Install a C++17 compiler, CMake ${MIN_CMAKE} or newer and make.`
  const packages = [...new Set(missing.map(({ need }) => PACKAGES[manager][need]))]
  return `${problems} Install with: ${installCommand(manager, packages, root)}`
}

/**
 * @param {string} version
 * @param {string} minimum
 */
export function isAtLeast(version, minimum) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [leastMajor = 0, leastMinor = 0] = minimum.split('.').map(Number)
  return major > leastMajor || (major === leastMajor && minor >= leastMinor)
}

/**
 * Finds the programs of a build, or throws one error that names all that is missing.
 * @param {NodeJS.ProcessEnv} env `CC` and `CXX` are honoured
 * @returns {Toolchain}
 */
export function requireToolchain(env = process.env) {
  /** @type {Missing[]} */
  const missing = []
  const compilers = findCompilers(env, missing)
  const cmake = findCmake(env, missing)
  const generator = findProgram('ninja', env) ? 'Ninja' : 'Unix Makefiles'
  if (generator !== 'Ninja' && !findProgram('make', env))
    missing.push({ need: 'make', problem: 'Neither ninja nor make was found in PATH.' })
  if (missing.length > 0 || !compilers || !cmake)
    throw new BuildError(missingProgramsMessage(missing, readOsRelease(), process.getuid?.() === 0))
  return { ...compilers, ...cmake, generator }
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {Missing[]} missing
 */
function findCompilers(env, missing) {
  const pairs = [
    ['g++', 'gcc'],
    ['clang++', 'clang'],
    ['c++', 'cc'],
  ]
  if (env.CXX || env.CC) pairs.splice(0, pairs.length, [env.CXX || 'c++', env.CC || 'cc'])
  for (const [cxxName = '', cName = ''] of pairs) {
    const cxx = findProgram(cxxName, env)
    const c = findProgram(cName, env)
    if (!cxx || !c) continue
    const source = '#include <filesystem>\nstatic_assert(__cplusplus >= 201703L);\n'
    const trial = spawnSync(cxx, ['-std=c++17', '-fsyntax-only', '-x', 'c++', '-'], {
      input: source,
      encoding: 'utf8',
    })
    const version = spawnSync(cxx, ['--version'], { encoding: 'utf8' }).stdout?.split('\n')[0] ?? cxx
    if (trial.status === 0) return { c, cxx, compiler: version, ...processorOf(cxx) }
    missing.push({
      need: 'compiler',
      problem: `The C++ compiler ${cxx} (${version}) does not compile C++17.`,
    })
    return null
  }
  const names =
    env.CXX || env.CC ? `${env.CXX || 'c++'} and ${env.CC || 'cc'} (from CXX and CC)` : 'g++ or clang++'
  missing.push({ need: 'compiler', problem: `No C++ compiler was found in PATH (${names}).` })
  return null
}

/** @param {string} cxx */
function processorOf(cxx) {
  const { stdout } = spawnSync(cxx, ['-dumpmachine'], { encoding: 'utf8' })
  const [processor = ''] = (stdout ?? '').trim().split('-')
  return { processor, arch: ARCHITECTURES.get(processor) ?? processor }
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {Missing[]} missing
 */
function findCmake(env, missing) {
  const cmake = findProgram('cmake', env)
  if (!cmake) {
    missing.push({ need: 'cmake', problem: 'cmake was not found in PATH.' })
    return null
  }
  const cmakeVersion = spawnSync(cmake, ['--version'], { encoding: 'utf8' }).stdout?.match(
    /version (\d+\.\d+\S*)/,
  )?.[1]
  if (cmakeVersion && isAtLeast(cmakeVersion, MIN_CMAKE)) return { cmake, cmakeVersion }
  const problem = `${cmake} is version ${cmakeVersion ?? 'unknown'}; version ${MIN_CMAKE} or newer is needed.`
  missing.push({ need: 'cmake', problem })
  return null
}
