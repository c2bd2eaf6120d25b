import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WhisperHipError } from '../errors.ts'
import { messageOf } from '../kinds.ts'

/**
 * Absolute path of this package's folder, wherever the module was bundled to: inside it, or into an application beside whose bundle the package is
 * installed.
 */
export function packageRoot(): string {
  const here = dirname(fileURLToPath(import.meta.url))
  for (let folder = here; ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest) && nameIn(manifest) === 'whisper-hip') return folder
    const installed = join(folder, 'node_modules', 'whisper-hip')
    if (existsSync(join(installed, 'package.json'))) return realpathSync(installed)
    if (dirname(folder) === folder) {
      throw new WhisperHipError('ERR_NATIVE_MISSING', `The package whisper-hip was not found above ${here}`, {
        advice: [
          'A bundler moved the library out of its package: mark whisper-hip as external, it loads a native addon',
        ],
      })
    }
  }
}

/** Version of the package in a folder. */
export function packageVersion(root: string): string {
  return String(manifestOf(join(root, 'package.json')).version)
}

function nameIn(manifest: string): unknown {
  return manifestOf(manifest).name
}

function manifestOf(manifest: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(manifest, 'utf8'))
  } catch (cause) {
    throw new WhisperHipError('ERR_NATIVE_MISSING', `${manifest} cannot be read: ${messageOf(cause)}`, {
      cause,
    })
  }
}
