import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { bytesSource, openFileSource, openModelSource } from '../../../lib/model/sources.ts'
import { failureOf, temporaryFolder } from './support.ts'

const folder = temporaryFolder()
const path = (name: string) => join(folder, name)

describe('openFileSource', () => {
  it('reads anywhere in a file', async () => {
    writeFileSync(path('digits'), '0123456789')
    const source = await openFileSource(path('digits'))
    expect(source.name).toBe(path('digits'))
    expect(source.size).toBe(10)
    expect(Buffer.from(await source.read(3, 4)).toString()).toBe('3456')
    expect(await source.read(10, 0)).toHaveLength(0)
    expect(source.native).toEqual({ fd: expect.any(Number) })
    await source.close()
  })

  it.each([
    [8, 3],
    [11, 0],
    [-1, 1],
    [0, Number.NaN],
  ])('refuses to read outside of the file: at %d, %d bytes', async (offset, length) => {
    writeFileSync(path('digits'), '0123456789')
    const source = await openFileSource(path('digits'))
    const error = await failureOf(source.read(offset, length))
    expect(error.code).toBe('ERR_MODEL_CORRUPT')
    expect(error.message).toContain(path('digits'))
    await source.close()
  })

  it('notices that the file was cut meanwhile', async () => {
    writeFileSync(path('shrinks'), '0123456789')
    const source = await openFileSource(path('shrinks'))
    truncateSync(path('shrinks'), 5)
    const error = await failureOf(source.read(3, 4))
    expect(error.code).toBe('ERR_MODEL_CORRUPT')
    expect(error.message).toContain('cut to 5 bytes')
    await source.close()
  })

  it('opens a link to a file', async () => {
    writeFileSync(path('target'), 'x')
    symlinkSync(path('target'), path('link'))
    const source = await openFileSource(path('link'))
    expect(source.size).toBe(1)
    await source.close()
  })

  it.each([
    ['missing', () => {}, 'ERR_MODEL_NOT_FOUND', 'no such file'],
    ['target/below', () => writeFileSync(path('target'), 'x'), 'ERR_MODEL_NOT_FOUND', 'not a folder'],
    ['loop', () => symlinkSync(path('loop'), path('loop')), 'ERR_MODEL_NOT_FOUND', 'form a loop'],
    ['n'.repeat(300), () => {}, 'ERR_MODEL_NOT_FOUND', 'too long'],
    ['directory', () => mkdirSync(path('directory')), 'ERR_MODEL_FORMAT', 'a directory'],
    ['pipe', () => execFileSync('mkfifo', [path('pipe')]), 'ERR_MODEL_FORMAT', 'a named pipe'],
    ['zero', () => symlinkSync('/dev/zero', path('zero')), 'ERR_MODEL_FORMAT', 'a device'],
  ])('refuses %s', async (name, prepare, code, reason) => {
    prepare()
    const error = await failureOf(openFileSource(path(name)))
    expect(error.code).toBe(code)
    expect(error.message).toContain(path(name))
    expect(error.message).toContain(reason)
  })

  it('refuses a socket', async () => {
    const server = createServer().listen(path('socket'))
    const error = await failureOf(openFileSource(path('socket')))
    expect(error.code).toBe('ERR_MODEL_FORMAT')
    expect(error.message).toContain('a socket')
    server.close()
  })
})

describe('bytesSource', () => {
  it('reads anywhere, without a copy', async () => {
    const bytes = Uint8Array.of(1, 2, 3, 4).subarray(1)
    const source = bytesSource(bytes)
    expect(source.size).toBe(3)
    expect([...(await source.read(1, 2))]).toEqual([3, 4])
    expect(source.native).toEqual({ bytes })
    expect((await failureOf(source.read(2, 2))).code).toBe('ERR_MODEL_CORRUPT')
    await source.close()
  })

  it('gives copies of shared memory, which others may write to', async () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(8))
    bytes[1] = 1
    const read = await bytesSource(bytes).read(0, 4)
    bytes[1] = 2
    expect([...read]).toEqual([0, 1, 0, 0])
    expect(read.buffer).toBeInstanceOf(ArrayBuffer)
  })

  it('notices that its buffer went away', async () => {
    const bytes = new Uint8Array(8)
    const source = bytesSource(bytes)
    structuredClone(bytes, { transfer: [bytes.buffer] })
    expect((await failureOf(source.read(0, 4))).message).toContain('detached')
  })
})

describe('openModelSource', () => {
  it('takes a path, a URL and bytes', async () => {
    writeFileSync(path('a b'), 'model')
    const byPath = await openModelSource(path('a b'))
    expect([byPath.source.name, byPath.folder]).toEqual([path('a b'), folder])
    const byUrl = await openModelSource(pathToFileURL(path('a b')))
    expect([byUrl.source.name, byUrl.folder]).toEqual([path('a b'), folder])
    const byBytes = await openModelSource(Uint8Array.of(1))
    expect([byBytes.source.name, byBytes.folder]).toEqual(['<bytes>', null])
    await Promise.all([byPath.source.close(), byUrl.source.close()])
  })

  const mainFiles = [
    'model.safetensors',
    'model.safetensors.index.json',
    'model.bin',
    'pytorch_model.bin',
    'pytorch_model.bin.index.json',
    'adapter_model.safetensors',
  ]

  it.each(mainFiles.map((file, i) => [file, i] as const))('finds %s in a folder', async (file, i) => {
    const checkpoint = path(`checkpoint-${i}`)
    mkdirSync(checkpoint)
    // The better ones come first.
    for (const name of mainFiles.slice(i)) writeFileSync(join(checkpoint, name), 'model')
    const { source, folder: found } = await openModelSource(checkpoint)
    expect([source.name, found]).toEqual([join(checkpoint, file), checkpoint])
    await source.close()
  })

  it('says that a folder has no model', async () => {
    mkdirSync(path('no-model'))
    writeFileSync(path('no-model/README.md'), 'x')
    const error = await failureOf(openModelSource(path('no-model')))
    expect(error.code).toBe('ERR_MODEL_FORMAT')
    expect(error.message).toContain(path('no-model'))
    expect(error.message).toContain('a directory without the file of a model')
  })

  it('advises the model file of a folder', async () => {
    mkdirSync(path('collection'))
    writeFileSync(path('collection/ggml-base.bin'), 'x')
    const error = await failureOf(openModelSource(path('collection')))
    expect(error.advice).toEqual([`Pass the file itself: ${path('collection/ggml-base.bin')}`])
  })

  it('finds the graphs of an export for browsers, in half precision too', async () => {
    mkdirSync(path('browser/onnx'), { recursive: true })
    writeFileSync(path('browser/config.json'), '{}')
    writeFileSync(path('browser/onnx/encoder_model_fp16.onnx'), 'x')
    writeFileSync(path('browser/onnx/encoder_model_q4.onnx'), 'x')
    const { source } = await openModelSource(path('browser'))
    await source.close()
    expect(source.name).toBe(path('browser/onnx/encoder_model_fp16.onnx'))
  })

  it.each([
    'encoder_model_quantized.onnx',
    'encoder_model_int8.onnx',
    'encoder_model_uint8.onnx',
    'encoder_model_q4.onnx',
    'encoder_model_q4f16.onnx',
    'encoder_model_bnb4.onnx',
    'decoder_model_merged_quantized.onnx',
  ])('refuses a folder that has only %s as quantised', async (file) => {
    const folder = `quantised-${file}`
    mkdirSync(path(`${folder}/onnx`), { recursive: true })
    writeFileSync(path(`${folder}/onnx/${file}`), 'x')
    const error = await failureOf(openModelSource(path(folder)))
    expect(error).toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      message: expect.stringContaining('quantised by another library'),
      advice: [expect.stringContaining('_fp16')],
    })
  })

  it.each([
    ['', 'Expected a path, URL or Uint8Array for model but received "" of type string'],
    ['a\0b', 'Expected a path, URL or Uint8Array for model but received "a\\u0000b" of type string'],
    [
      undefined as unknown as string,
      'Expected a path, URL or Uint8Array for model but received undefined of type undefined',
    ],
    [42 as unknown as string, 'Expected a path, URL or Uint8Array for model but received 42 of type number'],
    [new URL('http://localhost/model'), 'Expected a file: URL for model but received http://localhost/model'],
  ])('refuses %j', async (input, message) => {
    const error = await failureOf(openModelSource(input))
    expect(error.code).toBe('ERR_INVALID_ARGUMENT')
    expect(error.message).toBe(message)
  })
})
