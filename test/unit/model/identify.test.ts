import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readModel } from '../../../lib/model/formats/index.ts'
import { failureOf, outcomeOf } from './support.ts'

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))
const padded = (text: string, length = 5000) => Buffer.concat([bytes(text), Buffer.alloc(length, 0xa5)])

describe('what is no model, or none for this version', () => {
  it.each([
    ['nothing', new Uint8Array(0), 'ERR_MODEL_FORMAT', 'empty'],
    ['zeros', new Uint8Array(100_000), 'ERR_MODEL_FORMAT', 'all zero bytes'],
    ['a text', bytes('Hello,\nthis is no model.\n'), 'ERR_MODEL_FORMAT', 'a text'],
    ['a text in UTF-8', new TextEncoder().encode('Grüße, 世界'), 'ERR_MODEL_FORMAT', 'a text'],
    ['JSON', bytes('{"error": "not found"}'), 'ERR_MODEL_FORMAT', 'a JSON text'],
    ['HTML', bytes('<!DOCTYPE html>\n<html></html>'), 'ERR_MODEL_FORMAT', 'an HTML page'],
    ['HTML after spaces', bytes('\r\n  <html lang="en">'), 'ERR_MODEL_FORMAT', 'an HTML page'],
    [
      'HTML with a mark',
      new TextEncoder().encode('\ufeff<!doctype HTML>'),
      'ERR_MODEL_FORMAT',
      'an HTML page',
    ],
    [
      'a Git LFS pointer',
      bytes('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n'),
      'ERR_MODEL_FORMAT',
      'a Git LFS pointer',
    ],
    ['gzip', gzipSync('model'), 'ERR_MODEL_FORMAT', 'compressed with gzip'],
    ['zip', padded('PK\x03\x04\x14\0\0\0\0\0readme.txt'), 'ERR_MODEL_FORMAT', 'a zip archive'],
    ['wav', padded('RIFF\x24\0\0\0WAVEfmt '), 'ERR_MODEL_FORMAT', 'a RIFF (wav) audio file'],
    ['HDF5', padded('\x89HDF\r\n\x1a\n'), 'ERR_MODEL_FORMAT', 'a file of TensorFlow or Keras (HDF5)'],
    ['TensorFlow Lite', padded('\x1c\0\0\0TFL3'), 'ERR_MODEL_FORMAT', 'a TensorFlow Lite model'],
    [
      'MLX',
      padded(`PK\x03\x04${'\0'.repeat(22)}\x09\0\0\0conv1.npy`),
      'ERR_MODEL_FORMAT',
      'an archive of NumPy arrays (npz), as MLX writes it',
    ],
    [
      'OpenVINO',
      bytes('<?xml version="1.0"?>\n<net name="Model0" version="11">\n</net>\n'),
      'ERR_MODEL_FORMAT',
      'the graph of an OpenVINO model',
    ],
    ['noise', Uint8Array.of(0x8a, 0x00, 0xff, 0x12), 'ERR_MODEL_FORMAT', 'it starts with 8a 00 ff 12'],
    [
      'a voice activity model',
      padded('lmgg\x0a\0\0\0silero-16k'),
      'ERR_MODEL_FORMAT',
      'a Silero voice activity model',
    ],
    [
      'a pickle',
      padded('\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.'),
      'ERR_MODEL_UNSUPPORTED',
      'a pickled PyTorch file',
    ],
    [
      'another CTranslate2 model',
      padded('\x06\0\0\0\x10\0TransformerSpec\0'),
      'ERR_MODEL_UNSUPPORTED',
      'a CTranslate2 TransformerSpec file',
    ],
  ])('%s', async (_, input, code, found) => {
    const error = await failureOf(readModel(input))
    expect(error.code).toBe(code)
    expect(error.message).toContain("'<bytes>'")
    expect(error.message).toContain(found)
  })

  it.each([
    ['the end of a signature is missing', bytes('lmg')],
    ['a signature with a wrong bit', padded('lmgf\x99\xca')],
    ['another signature with a wrong bit', padded('\x06\0\0\0\x0c\0WhisperSpeb\0\x03')],
    ['the end of another signature is missing', bytes('\x06\0\0\0\x0c\0Whisp')],
  ])('damaged: %s', async (_, input) => {
    expect((await failureOf(readModel(input))).code).toBe('ERR_MODEL_CORRUPT')
  })
})

describe('whatever it is', () => {
  const starts = ['', 'lmgg', '\x06\0\0\0\x0c\0WhisperSpec\0', '\x06\0\0\0', 'GGUF', 'PK', '\x80\x02', '<']
  it('is answered with a WhisperHipError', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 600 }), async (start, rest) => {
        expect(await outcomeOf(Buffer.concat([bytes(start), rest]))).toMatch(/^ERR_MODEL_/)
      }),
      { numRuns: 400 },
    )
  })
})
