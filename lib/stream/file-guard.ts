import { WhisperHipError } from '../errors.ts'

/** The bytes that files begin with which are no PCM. */
const FILE_MAGICS = ['RIFF', 'OggS', 'fLaC', 'ID3\u0003', 'ID3\u0004']

/** Tells the bytes of a file from PCM: they would be heard as noise. */
export class FileGuard {
  /** The first four bytes, as far as they have come. */
  #first = ''

  /** @throws `ERR_INVALID_ARGUMENT` where a file begins */
  check(chunk: Buffer): void {
    if (this.#first.length === 4) return
    this.#first += chunk.toString('latin1', 0, 4 - this.#first.length)
    if (!FILE_MAGICS.includes(this.#first)) return
    throw new WhisperHipError(
      'ERR_INVALID_ARGUMENT',
      `Expected PCM samples for the live audio but received a file that begins with ${JSON.stringify(this.#first)}`,
      { advice: ['Decode it first, e.g. with ffmpeg -f s16le, or use transcribe() for files'] },
    )
  }
}
