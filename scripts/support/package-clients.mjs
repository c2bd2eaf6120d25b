// @ts-check
/** Files out of packages, by the clients that the machine has: their mirrors, proxies and certificates apply. */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { vendor } from '../vendor.mjs'
import { readArchive } from './archive.mjs'
import { packageRoot } from './package.mjs'
import { fileWith, isMissing, lastLines, start } from './programs.mjs'
import { BuildError } from './script.mjs'
import { fetchSdist } from './sdist.mjs'
import { fetchSource } from './sources.mjs'

/**
 * Where files come from; `root` is their folder inside the package.
 * @typedef {{ type: 'vendor', package: string, root: string }} VendorPackage a tree under `vendor/`
 * @typedef {{ type: 'deb', package: string, root: string }} DebPackage
 * @typedef {{ type: 'sdist', package: string, version: string, root: string }} SdistPackage
 * @typedef {{ type: 'npm', package: string, version: string, integrity: string, root: string }} NpmPackage
 * @typedef {VendorPackage | DebPackage | SdistPackage | NpmPackage} Package
 */

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
