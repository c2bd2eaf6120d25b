import { expect, it } from 'vitest'
import { whyEmpty } from '../../../lib/cli/empty-result.ts'
import type { TranscribeOptions, TranscriptionResult, WarningCode } from '../../../lib/index.ts'

const resultOf = (text: string, duration: number, ...codes: WarningCode[]) =>
  ({
    text,
    duration,
    warnings: codes.map((code) => ({ code, message: '' })),
    stats: { audioSeconds: 0 },
  }) as unknown as TranscriptionResult

it.each<[string, TranscriptionResult, TranscribeOptions, RegExp]>([
  ['an empty recording', resultOf('', 0), {}, /the recording is empty/],
  ['an offset past the end', resultOf('', 11), { offset: 20 }, /--offset 20 is past the end .* 11\.0 s long/],
  ['clips past the end', resultOf('', 11), { clips: [[20, 30]] }, /all clips are past the end/],
  [
    'a damaged recording',
    resultOf('', 2, 'AUDIO_TRUNCATED'),
    {},
    /only 2\.0 s of the recording could be read/,
  ],
  ['speech that gave nothing', resultOf(' ', 9, 'SPEECH_NOT_TRANSCRIBED'), {}, /the right --language/],
  ['silence, by VAD', resultOf('', 9), { vad: true }, /without --vad/],
  ['silence', resultOf('', 9), {}, /nobody seems to speak in these 9\.0 s/],
])('says why there is no text: %s', (_kind, result, options, reason) => {
  expect(whyEmpty(result, options)).toMatch(reason)
})

it('says nothing where there is text', () => {
  expect(whyEmpty(resultOf(' Hello.', 9, 'AUDIO_TRUNCATED'), {})).toBeNull()
})
