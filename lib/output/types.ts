import type { Segment, TranscriptionResult } from '../transcribe/types.ts'

/**
 * A format for writing a transcription: `txt` (a line for each segment), `srt` (SubRip subtitles), `vtt` (WebVTT subtitles), `lrc`
 * (synchronised lyrics), `tsv` (a table of times in milliseconds and texts) or `json` (the whole result).
 */
export type OutputFormat = 'txt' | 'srt' | 'vtt' | 'lrc' | 'tsv' | 'json'

/** The part of a segment that line formats show. */
export type Cue = Pick<Segment, 'start' | 'end' | 'text'>

/** A format that is written from the top down, a segment at a time. */
export interface LineFormat {
  /** What comes before the first segment. */
  readonly header: string
  /**
   * @param cue a segment whose text is not empty
   * @param number counts such segments, from 1
   */
  write(cue: Cue, number: number): string
}

/** A format that needs the end of the transcription first. */
export interface WholeFormat {
  write(result: TranscriptionResult): string
}
