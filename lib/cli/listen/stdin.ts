import { Transform, type TransformCallback } from 'node:stream'
import { headLength, sniff } from '../../audio/sniff.ts'
import { UsageError } from '../failures.ts'
import type { Source } from './source.ts'

/** Raw samples from standard input. */
export function openStdin(stdin: NodeJS.ReadableStream & { destroy(): unknown } = process.stdin): Source {
  const samples = new RawSamples()
  stdin.on('error', (error) => samples.destroy(error))
  stdin.pipe(samples)
  return {
    name: 'standard input',
    samples,
    ended: Promise.resolve(),
    stop() {
      stdin.unpipe(samples)
      samples.end()
      stdin.destroy()
    },
    close() {
      samples.destroy()
      stdin.destroy()
    },
  }
}

/** Signatures of files that people pipe by mistake, which raw samples have only by the rarest chance. */
const files = /^(RIFF....WAVE|fLaC|OggS|ID3|....ftyp|.E\xdf\xa3|FORM....AIF)/s

const signatureLength = 12

/** Passes samples on, unless they are a file. */
class RawSamples extends Transform {
  /** The first bytes, while there are too few of them to tell. */
  #head: Buffer | null = Buffer.alloc(0)

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#head === null) {
      done(null, chunk)
      return
    }
    const head = Buffer.concat([this.#head, chunk])
    this.#head = head.length < signatureLength ? head : null
    if (this.#head !== null) done()
    else if (files.test(head.toString('latin1', 0, signatureLength))) done(noSamples(head))
    else done(null, head)
  }

  override _flush(done: TransformCallback): void {
    done(null, this.#head)
  }
}

function noSamples(head: Buffer): UsageError {
  const { found } = sniff(head.subarray(0, headLength), head.toString('latin1', 0, 3) === 'ID3')
  return new UsageError(`Expected raw samples on standard input but received ${found}`, [
    'Name the file: whisper-hip listen FILE',
    'Or decode it first: … | ffmpeg -i - -f s16le -ar 16000 -ac 1 - | whisper-hip listen -',
  ])
}
