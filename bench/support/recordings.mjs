// @ts-check
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Recordings of the tests that have texts. */
export const RECORDINGS = [
  'jfk.wav',
  'librivox-0870.wav',
  'librivox-0880.wav',
  'librivox-0890.wav',
  'librivox-0920.wav',
  'librivox-0930.wav',
  'sonnet.wav',
  'fast-and-slow.wav',
  'cold.wav',
  'cough.wav',
  'wizard.flac',
]

/**
 * A recording as a microphone would give it.
 * @param {string} path
 * @returns {Promise<Buffer>} 16-bit samples of 16 kHz, one channel
 */
export async function pcmOf(path) {
  const args = ['-v', 'error', '-nostdin', '-i', path, '-f', 's16le', '-ar', '16000', '-ac', '1', 'pipe:1']
  const { stdout } = await promisify(execFile)('ffmpeg', args, { encoding: 'buffer', maxBuffer: 1 << 30 })
  return stdout
}
