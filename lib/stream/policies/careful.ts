import { shiftWarnings } from '../../warnings.ts'
import type { Decoder, Urgency } from '../decoder.ts'
import { type FinalText, inStream, type UtteranceAudio } from './policy.ts'

const RATE = 16_000

/** A piece of an utterance, decoded as a file of its own. */
export async function decodeCarefully(
  decoder: Decoder,
  { start, end, slice }: UtteranceAudio,
  urgency: Urgency,
  signal: AbortSignal,
): Promise<FinalText> {
  const { segments, language, warnings } = await decoder.transcribe(slice(start, end), urgency, signal)
  const tokens = segments.reduce((sum, segment) => sum + segment.tokens.length, 0)
  const total = segments.reduce(
    (sum, segment) => sum + segment.averageLogProbability * segment.tokens.length,
    0,
  )
  return {
    text: segments
      .map(({ text }) => text)
      .join('')
      .trim(),
    words: inStream(
      segments.flatMap(({ words = [] }) => words),
      start,
    ),
    language,
    averageLogProbability: tokens > 0 ? total / tokens : 0,
    warnings: shiftWarnings(warnings, start / RATE),
  }
}
