import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { WhisperHipError } from '../../errors.ts'
import { type RecorderName, recorderNames, recorders } from './recorders.ts'

/** A recorder of this machine. */
export interface FoundRecorder {
  name: RecorderName
  /** Absolute. */
  path: string
  /** Others that are installed, in order of preference. */
  others: RecorderName[]
}

/**
 * Looks for the programs that record.
 * @param wanted the one to use; undefined: the first that is there
 * @throws `ERR_AUDIO_UNSUPPORTED` naming the packages to install
 */
export async function findRecorder(
  wanted: RecorderName | undefined,
  searchPath = process.env.PATH ?? '',
): Promise<FoundRecorder> {
  const found = await Promise.all(
    recorderNames.map(async (name) => ({ name, path: await which(name, searchPath) })),
  )
  const installed = found.filter(
    (entry): entry is { name: RecorderName; path: string } => entry.path !== null,
  )
  const [chosen] = installed.filter(({ name }) => wanted === undefined || name === wanted)
  const others = installed.map(({ name }) => name).filter((name) => name !== chosen?.name)
  if (chosen !== undefined) return { ...chosen, others }
  throw missing(wanted, others)
}

async function which(program: string, searchPath: string): Promise<string | null> {
  // The folder that one happens to be in, which an empty entry means, is no place for programs.
  for (const folder of searchPath.split(delimiter).filter(isAbsolute)) {
    const path = join(folder, program)
    try {
      await access(path, constants.X_OK)
      if ((await stat(path)).isFile()) return path
    } catch {
      // Not here.
    }
  }
  return null
}

function missing(wanted: RecorderName | undefined, others: readonly RecorderName[]): WhisperHipError {
  const problem =
    wanted === undefined ? `none of ${recorderNames.join(', ')} is installed` : `${wanted} is not installed`
  const packages = recorderNames
    .filter((name) => wanted === undefined || name === wanted)
    .map((name) => `apt install ${recorders[name].package} (${name})`)
  return new WhisperHipError('ERR_AUDIO_UNSUPPORTED', `Cannot record from a microphone: ${problem}`, {
    advice: [
      ...others.map((name) => `Use ${name}, which is installed: --source ${name}`),
      `Install one (Debian, Ubuntu): ${packages.join(', ')}`,
      'Or pipe raw samples into it: … | whisper-hip listen - --rate 16000',
    ],
  })
}
