import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { requireWritable } from '../../model/writable.ts'
import { cannotWrite } from '../../model/write-failure.ts'
import { outputFormat } from '../../output/formats.ts'
import type { LineFormat } from '../../output/types.ts'
import type { FinalEvent } from '../../stream/types.ts'
import { UsageError } from '../failures.ts'
import { cuesOf } from './cues.ts'
import { GrowingFile } from './growing-file.ts'

const formats = ['srt', 'vtt', 'txt'] as const

/** Paths by format. */
export type FilePaths = Partial<Record<(typeof formats)[number], string>>

/**
 * Checks before anything is recorded that the files can be written.
 * @param input path of the recording that is read, which is not to be replaced
 * @throws {@link UsageError} for a path that is given twice; the error of the system
 */
export async function checkPaths(paths: FilePaths, input: string | null): Promise<void> {
  const taken = new Map<string, string>()
  if (input !== null) taken.set(resolve(input), 'the recording')
  for (const format of formats) {
    const path = paths[format]
    if (path === undefined) continue
    const other = taken.get(resolve(path))
    if (other !== undefined) throw new UsageError(`Both ${other} and --${format} would be ${path}`)
    taken.set(resolve(path), `--${format}`)
    await checkWritable(path)
  }
}

/** What is there is written to, and may be a device. */
async function checkWritable(path: string): Promise<void> {
  const there = await stat(path).catch(() => undefined)
  if (there === undefined || there.isDirectory()) return requireWritable(path)
  try {
    await access(path, constants.W_OK)
  } catch (error) {
    throw cannotWrite(path, error)
  }
}

/** The files that a live transcription writes. */
export class OutputFiles {
  readonly #files: { file: GrowingFile; maxLength: number }[] = []

  /** @param maxLength characters of a subtitle */
  constructor(paths: FilePaths, maxLength: number) {
    try {
      for (const format of formats) {
        const path = paths[format]
        if (path === undefined) continue
        this.#files.push({
          file: new GrowingFile(path, outputFormat(format) as LineFormat),
          // Text is a line for each utterance, as on standard output.
          maxLength: format === 'txt' ? Number.POSITIVE_INFINITY : maxLength,
        })
      }
    } catch (error) {
      this.close()
      throw error
    }
  }

  add(final: FinalEvent): void {
    for (const { file, maxLength } of this.#files) for (const cue of cuesOf(final, maxLength)) file.add(cue)
  }

  close(): void {
    for (const { file } of this.#files.splice(0)) file.close()
  }
}
