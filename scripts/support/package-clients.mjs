// @ts-check
/** Files out of packages, by the clients that the machine has: their mirrors, proxies and certificates apply. */
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { vendor } from '../vendor.mjs'
import { readArchive } from './archive.mjs'
import { packageRoot } from './package.mjs'
import { BuildError } from './script.mjs'
import { fetchSource } from './sources.mjs'

/**
 * Where files come from; `root` is their folder inside the package.
 * @typedef {{ type: 'vendor', package: string, root: string }} VendorPackage a tree under `vendor/`
 * @typedef {{ type: 'deb', package: string, root: string }} DebPackage
 * @typedef {{ type: 'sdist', package: string, version: string, root: string }} SdistPackage
 * @typedef {{ type: 'npm', package: string, version: string, integrity: string, root: string }} NpmPackage
 * @typedef {VendorPackage | DebPackage | SdistPackage | NpmPackage} Package
 */

const TIMEOUT = 300_000

/**
 * Contents of files of a package.
 * @param {Package} source
 * @param {string[]} paths relative to the package's `root`
 * @param {string} scratch an empty folder
 * @returns {Promise<Buffer[]>} in the order of `paths`
 */
export async function filesOf(source, paths, scratch) {
  if (source.type === 'vendor') {
    await vendor(join(packageRoot, 'vendor'), source.package)
    return readAll(join(packageRoot, 'vendor', source.package, source.root), paths)
  }
  if (source.type === 'deb') {
    await extractDeb(await fetchDeb(source.package, scratch), join(scratch, 'tree'))
    return readAll(join(scratch, 'tree', source.root), paths)
  }
  const archive =
    source.type === 'npm' ? await fetchSource(source, scratch) : await fetchSdist(source, scratch)
  const members = paths.map((path) => `${source.root}/${path}`)
  const contents = await readArchive(archive, (member) => members.includes(member))
  return members.map((member) => {
    const bytes = contents.get(member)
    if (bytes === undefined) throw new BuildError(`${source.package} does not contain ${member}`)
    return bytes
  })
}

/** @param {string} folder @param {string[]} paths */
function readAll(folder, paths) {
  return Promise.all(paths.map((path) => readFile(join(folder, path))))
}

/**
 * Needs no root. Where apt has no package lists (containers often come without), a private copy is fetched.
 * @param {string} name
 * @param {string} scratch
 */
async function fetchDeb(name, scratch) {
  const lists = join(scratch, 'lists')
  const own = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${join(scratch, 'cache')}`]
  // The user that apt changes to could not write into the folder.
  const common = ['-q', '-o', 'APT::Sandbox::User=root']
  try {
    await start('apt-get', [...common, 'download', name], scratch)
  } catch (error) {
    if (isMissing(error)) throw new BuildError(`${name} is a Debian package, and apt-get was not found`)
    await mkdir(join(lists, 'partial'), { recursive: true })
    await mkdir(join(scratch, 'cache', 'archives', 'partial'), { recursive: true })
    try {
      await start('apt-get', [...common, ...own, 'update'], scratch)
      await start('apt-get', [...common, ...own, 'download', name], scratch)
    } catch (failure) {
      throw new BuildError(`apt-get could not download ${name}: ${lastLines(failure)}`)
    }
  }
  return join(scratch, await fileWith(scratch, '.deb'))
}

/** @param {string} archive @param {string} folder */
async function extractDeb(archive, folder) {
  await start('dpkg-deb', ['--extract', archive, folder], '/').catch((error) => {
    throw new BuildError(isMissing(error) ? 'dpkg-deb was not found' : `dpkg-deb failed: ${lastLines(error)}`)
  })
}

/**
 * A build back end that only repeats the metadata which the source distribution brings. `pip download` asks the back end for
 * metadata; the real one would have to be installed, with all that the package needs to build, and would run its code.
 */
const metadataBackend = `
import os, shutil, sys
from email.parser import HeaderParser

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    with open('PKG-INFO', encoding='utf-8') as file:
        fields = HeaderParser().parse(file)
    name = '%s-%s.dist-info' % (fields['Name'].replace('-', '_'), fields['Version'])
    os.mkdir(os.path.join(metadata_directory, name))
    shutil.copyfile('PKG-INFO', os.path.join(metadata_directory, name, 'METADATA'))
    return name

__legacy__ = sys.modules[__name__]
`

/**
 * @param {SdistPackage} source
 * @param {string} scratch
 */
async function fetchSdist(source, scratch) {
  const backend = join(scratch, 'backend')
  await mkdir(join(backend, 'setuptools'), { recursive: true })
  await writeFile(join(backend, 'setuptools', '__init__.py'), '')
  await writeFile(join(backend, 'setuptools', 'build_meta.py'), metadataBackend)
  const which = ['--no-deps', '--no-binary=:all:', `${source.package}==${source.version}`]
  const how = ['--no-build-isolation', '--use-pep517', '--no-cache-dir', '--no-input']
  const quiet = ['--disable-pip-version-check', '--progress-bar=off', '-q']
  try {
    await start(
      'python3',
      ['-m', 'pip', 'download', ...quiet, ...how, ...which, '--dest', scratch],
      scratch,
      {
        PYTHONPATH: backend,
      },
    )
  } catch (error) {
    throw new BuildError(
      isMissing(error)
        ? 'python3 was not found'
        : `pip could not download ${source.package}: ${lastLines(error)}`,
    )
  }
  return join(scratch, await fileWith(scratch, '.tar.gz'))
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {string} cwd
 * @param {Record<string, string>} [environment] beside that of this process
 */
function start(program, args, cwd, environment) {
  const env = { ...process.env, ...environment }
  return promisify(execFile)(program, args, { cwd, env, timeout: TIMEOUT, maxBuffer: 16 * 1024 * 1024 })
}

/** @param {unknown} error */
const isMissing = (error) => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** @param {unknown} error */
function lastLines(error) {
  const { stderr, message } = /** @type {Error & { stderr?: string }} */ (error)
  return (stderr?.trim() || message).split('\n').slice(-4).join(' | ')
}

/** @param {string} folder @param {string} ending */
async function fileWith(folder, ending) {
  const name = (await readdir(folder)).find((candidate) => candidate.endsWith(ending))
  if (name === undefined) throw new BuildError(`The download reported success but left no ${ending} file`)
  return name
}
