import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readModel } from '../../../lib/model/formats/index.ts'
import { readSafetensors } from '../../../lib/model/formats/safetensors.ts'
import type { ByteSource } from '../../../lib/model/source.ts'
import { bytesSource } from '../../../lib/model/sources.ts'
import { Pacer } from '../../../lib/pacer.ts'
import { assembleSafetensors } from '../../fixtures/safetensors-builder.ts'
import { generator } from '../../fixtures/tiny-model.ts'
import { failureOf, outcomeOf, withFlippedBit } from './support.ts'

const read = (bytes: Uint8Array) => readSafetensors(bytesSource(bytes), new Pacer())
const failureWith = (header: string | Uint8Array, data: Uint8Array = new Uint8Array(8)) =>
  failureOf(read(assembleSafetensors(header, [data])))

const one = '"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
const entry = (shape: string, offsets: string, dtype = 'F32') =>
  `{"a":{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}}`
const two = (a: string, b: string) =>
  `{"a":{"dtype":"F16","shape":[2],"data_offsets":${a}},"b":{"dtype":"F16","shape":[2],"data_offsets":${b}}}`

describe('a good file', () => {
  it.each([
    ['tensors in any order', two('[4,8]', '[0,4]'), ['a', 'b']],
    ['metadata', `{"__metadata__":{"format":"pt","x":"é"},${one}}`, ['a']],
    ['no metadata, as MLX says it', `{"__metadata__":null,${one}}`, ['a']],
    ['spaces', `{ ${one.replaceAll(':', ' : ').replaceAll(',', ' ,\n')} }`, ['a']],
    ['an empty tensor', `{"e":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]},${one}}`, ['e', 'a']],
    ['a scalar', two('[0,4]', '[4,8]').replace('[2]', '[]').replace('F16', 'F32'), ['a', 'b']],
    ['an escaped name', `{${one.replace('"a"', '"\\u0061\\/b"')}}`, ['a/b']],
    ['the names of JavaScript', `{${one.replace('"a"', '"__proto__"')}}`, ['__proto__']],
  ])('may have %s', async (_, header, names) => {
    const tensors = await read(assembleSafetensors(header, [new Uint8Array(8)]))
    expect([...tensors.keys()]).toEqual(names)
  })

  it('has its tensors in the order of ggml', async () => {
    const tensors = await read(assembleSafetensors(entry('[3,2,1]', '[0,12]', 'BF16'), [new Uint8Array(12)]))
    expect(tensors.get('a')).toEqual({ offset: 72, type: 30, shape: [1, 2, 3] })
  })
})

describe('a damaged safetensors file', () => {
  it.each<[string, string | Uint8Array, string]>([
    ['another start', ` {${one}}`, 'does not start with {'],
    ['a byte order mark', `\ufeff{${one}}`, 'does not start with {'],
    ['an array', `[${one}]`, 'does not start with {'],
    [
      'broken UTF-8',
      Uint8Array.from([...Buffer.from('{"'), 0xc3, 0x28, ...Buffer.from('":1}')]),
      'not UTF-8',
    ],
    ['a header that ends too early', `{${one}`, 'JSON at byte'],
    ['something after the header', `{${one}}x`, 'JSON at byte'],
    ['two headers', `{${one}}{${one}}`, 'JSON at byte'],
    ['a comma at the end', `{${one},}`, 'JSON at byte'],
    ['a deep nest', `{"a":${'['.repeat(5000)}`, 'JSON at byte'],
    ['no object for a tensor', '{"a":1}', 'JSON at byte'],
    ['a tensor twice', `{${one},${one}}`, 'tensor "a" is there twice'],
    ['a tensor twice by escapes', `{${one},${one.replace('"a"', '"\\u0061"')}}`, 'tensor "a" is there twice'],
    ['metadata twice', `{"__metadata__":{},"__metadata__":{},${one}}`, 'two entries __metadata__'],
    ['metadata of numbers', `{"__metadata__":{"a":1},${one}}`, 'JSON at byte'],
    ['metadata of almost nothing', `{"__metadata__":nul,${one}}`, 'JSON at byte'],
    ['a key of metadata twice', `{"__metadata__":{"a":"1","a":"2"},${one}}`, 'have "a" twice'],
    ['no dtype', '{"a":{"shape":[2],"data_offsets":[0,8]}}', 'needs dtype'],
    ['no shape', '{"a":{"dtype":"F32","data_offsets":[0,8]}}', 'needs dtype'],
    ['no offsets', '{"a":{"dtype":"F32","shape":[2]}}', 'needs dtype'],
    ['one offset', entry('[2]', '[0]'), 'needs dtype'],
    ['three offsets', entry('[2]', '[0,8,8]'), 'more than 2 numbers'],
    ['nine dimensions', entry('[1,1,1,1,1,1,1,1,2]', '[0,8]'), 'more than 8 numbers'],
    ['an unknown field', `{${one.slice(0, -1)},"x":1}}`, 'unknown or repeated field "x"'],
    ['a field twice', `{${one.slice(0, -1)},"shape":[2]}}`, 'unknown or repeated field "shape"'],
    ['a negative size', entry('[-2]', '[0,8]'), 'JSON at byte'],
    ['a fraction', entry('[2.0]', '[0,8]'), 'JSON at byte'],
    ['an exponent', entry('[2]', '[0,8e0]'), 'JSON at byte'],
    ['a leading zero', entry('[02]', '[0,8]'), 'JSON at byte'],
    ['a text for a number', entry('["2"]', '[0,8]'), 'JSON at byte'],
    ['a number beyond 2^53', entry('[2]', '[0,9007199254740993]'), 'JSON at byte'],
    ['a number of 30 digits', entry('[2]', `[0,${'9'.repeat(30)}]`), 'JSON at byte'],
    ['a product beyond all', entry(`[${Array(8).fill(2 ** 52)}]`, '[0,8]'), 'where its shape'],
    ['a shape of another size', entry('[3]', '[0,8]'), 'where its shape [3] and type F32 need 12'],
    ['a type of another size', entry('[2]', '[0,8]', 'F16'), 'where its shape [2] and type F16 need 4'],
    ['offsets the other way round', entry('[2]', '[8,0]'), 'where 0 comes next'],
    ['a hole at the start', entry('[1]', '[4,8]'), 'where 0 comes next'],
    ['a hole', two('[0,3]', '[4,8]'), 'where 3 comes next'],
    ['an overlap', two('[0,4]', '[2,6]'), 'where 4 comes next'],
    ['the same data twice', two('[0,4]', '[0,4]'), 'where 4 comes next'],
    ['less data than the file has', entry('[1]', '[0,4]'), 'and the file at byte'],
    ['more data than the file has', entry('[4]', '[0,16]'), 'and the file at byte'],
    ['data beyond all', entry('[2]', '[0,9007199254740991]'), 'and the file at byte'],
    ['no tensors beside data', '{}', 'and the file at byte'],
  ])('with %s', async (_, header, message) => {
    const failure = await failureWith(header)
    expect(failure.code).toBe('ERR_MODEL_CORRUPT')
    expect(failure.message).toContain(message)
  })

  it.each(['F64', 'I64', 'I8', 'F8_E4M3', 'BOOL', 'Q4', ''])('of %s is not supported', async (dtype) => {
    const failure = await failureWith(entry('[2]', '[0,8]', dtype))
    expect(failure.code).toBe('ERR_MODEL_UNSUPPORTED')
    expect(failure.message).toContain(`tensor "a" is "${dtype}"`)
  })

  it.each([
    ['0', 0n, 'ERR_MODEL_CORRUPT'],
    ['1', 1n, 'ERR_MODEL_CORRUPT'],
    ['more than the file', 1000n, 'ERR_MODEL_CORRUPT'],
    ['more than the format allows', 100_000_001n, 'ERR_MODEL_CORRUPT'],
    ['2^63', 2n ** 63n, 'ERR_MODEL_CORRUPT'],
    ['2^64 - 1', 2n ** 64n - 1n, 'ERR_MODEL_CORRUPT'],
  ] as const)('with a header of %s bytes', async (_, length, code) => {
    const bytes = Buffer.from(assembleSafetensors(`{${one}}`, [new Uint8Array(8)]))
    bytes.writeBigUInt64LE(length)
    expect((await failureOf(read(bytes))).code).toBe(code)
  })

  it('with a large header is refused before it is read', async () => {
    const size = 90_000_008
    const head = Buffer.alloc(4096, ' ')
    head.writeBigUInt64LE(90_000_000n)
    head.write('{', 8)
    const reads: number[] = []
    const source: ByteSource = {
      name: 'large',
      size,
      native: { bytes: head },
      read: async (offset, length) => {
        reads.push(length)
        return head.subarray(offset, offset + length)
      },
      requireUnchanged: async () => {},
      close: async () => {},
    }
    expect((await failureOf(readSafetensors(source, new Pacer()))).code).toBe('ERR_MODEL_UNSUPPORTED')
    expect(Math.max(...reads)).toBe(8)
  })

  it('with too many metadata is refused', async () => {
    const texts = Array.from({ length: 4097 }, (_, i) => `"${i}":""`)
    expect((await failureWith(`{"__metadata__":{${texts}},${one}}`)).code).toBe('ERR_MODEL_UNSUPPORTED')
  })

  it('with too many tensors', async () => {
    const entries = Array.from(
      { length: 16385 },
      (_, i) => `"${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`,
    )
    expect((await failureWith(`{${entries}}`)).message).toContain('more than 16384 tensors')
  })
})

describe('whatever is done to a file', () => {
  const bytes = assembleSafetensors(two('[0,4]', '[4,8]'), [new Uint8Array(8)])

  it('cut to any length, it is refused', async () => {
    for (let length = 0; length < bytes.byteLength; length++)
      expect(await outcomeOf(bytes.subarray(0, length)), `${length}`).toMatch(/^ERR_MODEL_(CORRUPT|FORMAT)$/)
  })

  it('with any bit flipped, it is refused or read', async () => {
    for (let bit = 0; bit < 8 * bytes.byteLength; bit++)
      expect(await withFlippedBit(bytes, bit, () => outcomeOf(bytes)), `${bit}`).toMatch(/^ERR_MODEL_/)
  })

  it('with anything behind it, it is refused', async () => {
    const failure = await failureOf(readModel(Buffer.concat([bytes, Buffer.from('PK')])))
    expect(failure.code).toBe('ERR_MODEL_CORRUPT')
  })

  it('with parts of JSON put together at random, nothing else than a WhisperHipError comes of it', async () => {
    const words = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"dtype"',
      '"F32"',
      '"shape"',
      '"data_offsets"',
      '0',
      '8',
      '-1',
      '1e3',
      '\\',
    ]
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...words), { maxLength: 60 }), async (parts) => {
        await failureWith(`{${parts.join('')}`)
      }),
      { numRuns: 500 },
    )
  })

  it('with its numbers changed at random, it is refused or whole', async () => {
    const random = generator(3)
    for (let i = 0; i < 2000; i++) {
      const numbers = Array.from({ length: 6 }, () => (random() % 3 === 0 ? random() : random() % 10))
      const [a, b, c, d, e, f] = numbers
      const header = `{"a":{"dtype":"F16","shape":[${e}],"data_offsets":[${a},${b}]},"b":{"dtype":"F32","shape":[${f}],"data_offsets":[${c},${d}]}}`
      const tensors = await read(assembleSafetensors(header, [new Uint8Array(8)])).catch(() => undefined)
      if (tensors === undefined) continue
      expect((e as number) * 2 + (f as number) * 4).toBe(8)
    }
  })
})
