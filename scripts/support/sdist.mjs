// @ts-check
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileWith, isMissing, lastLines, start } from './programs.mjs'
import { BuildError } from './script.mjs'

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
 * `pip download` brings the user's index, proxy and certificates; no code of the package runs.
 * @param {{ package: string, version: string }} source
 * @param {string} scratch a folder
 * @returns {Promise<string>} path of the `.tar.gz`
 */
export async function fetchSdist(source, scratch) {
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
