/**
 * Transcribes one recording and says what did the work.
 *
 *   node examples/transcribe-file.mjs RECORDING [MODEL]
 */
import { transcribe } from 'whisper-hip'

const [recording, model = 'base'] = process.argv.slice(2)
if (recording === undefined) {
  console.error('Usage: node examples/transcribe-file.mjs RECORDING [MODEL]')
  process.exit(2)
}

try {
  const { text, language, duration, stats } = await transcribe(recording, { model })
  console.log(text)
  console.error(
    `${duration.toFixed(1)} s of ${language}, ${stats.wallSeconds.toFixed(1)} s on ${stats.backend} (${stats.device})`,
  )
} catch (error) {
  console.error(`${error.code ?? error.name}: ${error.message}`)
  for (const advice of error.advice ?? []) console.error(`  ${advice}`)
  process.exitCode = 1
}
