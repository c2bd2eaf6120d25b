import { json } from './json.ts'
import { lrc } from './lrc.ts'
import { srt } from './srt.ts'
import { tsv } from './tsv.ts'
import { txt } from './txt.ts'
import type { LineFormat, OutputFormat, WholeFormat } from './types.ts'
import { vtt } from './vtt.ts'

const formats: Readonly<Record<OutputFormat, LineFormat | WholeFormat>> = { txt, srt, vtt, lrc, tsv, json }

/** Names of the formats; each is also the extension of its files. */
export const outputFormats = Object.keys(formats) as readonly OutputFormat[]

/** The writer of a format: a line format has a `header`. */
export function outputFormat(name: OutputFormat): LineFormat | WholeFormat {
  return formats[name]
}
