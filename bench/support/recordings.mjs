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
 * @param {'s16le' | 'f32le'} [format]
 * @param {number} [sampleRate] in Hz
 * @param {number} [channels]
 * @returns {Promise<Buffer>} by default 16-bit samples of 16 kHz, one channel
 */
export async function pcmOf(path, format = 's16le', sampleRate = 16_000, channels = 1) {
  const output = ['-f', format, '-ar', `${sampleRate}`, '-ac', `${channels}`, 'pipe:1']
  const args = ['-v', 'error', '-nostdin', '-i', path, ...output]
  const { stdout } = await promisify(execFile)('ffmpeg', args, { encoding: 'buffer', maxBuffer: 1 << 30 })
  return stdout
}
