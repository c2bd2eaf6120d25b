/**
 * Writes SubRip subtitles to stdout while the recording is being transcribed.
 *
 *   node examples/subtitles.mjs RECORDING [MODEL] > recording.srt
 */
import { transcribe } from 'whisper-hip'

const [recording, model = 'base'] = process.argv.slice(2)
if (recording === undefined) {
  console.error('Usage: node examples/subtitles.mjs RECORDING [MODEL]')
  process.exit(2)
}

/** `HH:MM:SS,mmm`. @param {number} seconds */
function timestamp(seconds) {
  const milliseconds = Math.round(seconds * 1000)
  const digits = (unit, base, length = 2) =>
    String(Math.floor(milliseconds / unit) % base).padStart(length, '0')
  return `${digits(3_600_000, Infinity)}:${digits(60_000, 60)}:${digits(1000, 60)},${digits(1, 1000, 3)}`
}

for await (const { id, start, end, text } of transcribe(recording, { model, maxSegmentLength: 84 }))
  console.log(`${id + 1}\n${timestamp(start)} --> ${timestamp(end)}\n${text.trim()}\n`)
