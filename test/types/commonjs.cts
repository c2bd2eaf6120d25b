// What the types promise to a CommonJS module.
import type whisperHip = require('whisper-hip')

const { loadModel, WhisperHipError }: typeof whisperHip = require('whisper-hip')

async function main(): Promise<string> {
  const model: whisperHip.Model = await loadModel('base')
  try {
    const transcription: whisperHip.Transcription = model.transcribe('speech.wav', { language: 'en' })
    for await (const segment of transcription) console.log(segment.text.trim())
    const result: whisperHip.TranscriptionResult = await transcription
    return result.text
  } catch (error) {
    if (error instanceof WhisperHipError) return error.code
    throw error
  } finally {
    await model.dispose()
  }
}

// @ts-expect-error a misspelt option
loadModel('base', { backends: 'cpu' })
// @ts-expect-error there is no default export
const missing: (typeof whisperHip)['default'] = undefined

module.exports = { main, missing }
