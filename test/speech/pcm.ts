import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** A recording as a microphone would give it: by default 16-bit samples of 16 kHz, one channel. */
export async function pcmOf(
  path: string,
  format = 's16le',
  sampleRate = 16_000,
  channels = 1,
): Promise<Buffer> {
  const output = ['-f', format, '-ar', `${sampleRate}`, '-ac', `${channels}`, 'pipe:1']
  const args = ['-v', 'error', '-nostdin', '-i', path, ...output]
  const { stdout } = await promisify(execFile)('ffmpeg', args, { encoding: 'buffer', maxBuffer: 1 << 30 })
  return stdout
}

/** So many seconds of nothing in 16-bit samples of 16 kHz. */
export const silence = (seconds: number) => Buffer.alloc(2 * Math.round(16_000 * seconds))
