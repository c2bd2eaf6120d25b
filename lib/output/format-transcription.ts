import { checkEnum, invalidArgument } from '../check.ts'
import type { TranscriptionResult } from '../transcribe/types.ts'
import { CueWriter } from './cue-writer.ts'
import { outputFormat, outputFormats } from './formats.ts'
import type { OutputFormat } from './types.ts'

/**
 * Writes a transcription as text: subtitles, lyrics, a table, plain text or JSON. Times are rounded to the nearest millisecond (`lrc`:
 * hundredth of a second). Segments without text are left out, except in `json`. A subtitle that would end at the moment it begins lasts one
 * millisecond. Lines are not wrapped: use `maxSegmentLength` for short segments.
 *
 * @param result what {@link transcribe} resolved to
 * @param format `srt`, `vtt`, `lrc`, `tsv`, `txt` or `json`, which is also the usual file extension
 * @returns the contents of a file, ending with a line feed; empty if there is nothing to write
 * @throws {@link WhisperHipError} `ERR_INVALID_ARGUMENT` for an unknown format, or if `result` is not a result
 */
export function formatTranscription(result: TranscriptionResult, format: OutputFormat): string {
  const writer = outputFormat(checkEnum(format, 'format', outputFormats))
  checkResult(result)
  if (!('header' in writer)) return writer.write(result)
  const cues = new CueWriter(writer)
  return cues.header + result.segments.map((segment) => cues.next(segment)).join('')
}

function checkResult(result: unknown): void {
  const segments = (result as { segments?: unknown } | null | undefined)?.segments
  if (!Array.isArray(segments)) throw invalidArgument('the result of a transcription', 'result', result)
  for (const [i, segment] of segments.entries()) {
    const { start, end, text } = (segment ?? {}) as Record<string, unknown>
    if (!isTime(start)) throw invalidArgument('seconds of at least 0', `result.segments[${i}].start`, start)
    if (!isTime(end)) throw invalidArgument('seconds of at least 0', `result.segments[${i}].end`, end)
    if (typeof text !== 'string') throw invalidArgument('a string', `result.segments[${i}].text`, text)
  }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER / 1000
}
