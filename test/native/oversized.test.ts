import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { WhisperHipError } from '../../lib/index.ts'
import { closePlan, readModel } from '../../lib/model/formats/index.ts'
import { assembleGgml, ggmlParts } from '../fixtures/ggml-builder.ts'
import { configJson, writeHuggingFaceFiles } from '../fixtures/hf-files.ts'
import { writeSafetensorsFolder } from '../fixtures/safetensors-builder.ts'
import { buildZip } from '../fixtures/torch-builder.ts'
import { bounded } from './bounded.ts'
import { collectGarbage, temporaryPath } from './support.ts'

/** Files that announce, or have, as much as their format allows. */

const small = { state: 32, layers: 1, audioContext: 2, textContext: 32 }
/** `plan`, or the code and the message of the failure. Nothing that an earlier file has left counts for this one. */
async function outcomeOf(path: string): Promise<string> {
  collectGarbage()
  return await bounded(async () => {
    try {
      await closePlan(await readModel(path))
      return 'plan'
    } catch (error) {
      expect(error).toBeInstanceOf(WhisperHipError)
      return `${(error as WhisperHipError).code}: ${(error as Error).message}`
    }
  })
}

/** A file that has these pieces, and is empty between them: it takes no room on the disk. */
function writeSparse(name: string, size: number, pieces: Iterable<[at: number, bytes: Uint8Array]>): string {
  const path = temporaryPath(name)
  const descriptor = openSync(path, 'w')
  for (const [at, bytes] of pieces) writeSync(descriptor, bytes, 0, bytes.length, at)
  ftruncateSync(descriptor, size)
  closeSync(descriptor)
  return path
}

const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer)
const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
const key = (text: string) => Buffer.concat([u64(text.length), Buffer.from(text)])

const list = (count: number, item: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => item(i)).join()

describe('a GGUF file', () => {
  interface Entry {
    head: Uint8Array
    zeros: number
  }
  const many = (count: number, make: (i: number) => Entry) => Array.from({ length: count }, (_, i) => make(i))
  const lists = (of: number, length: number, bytes: number, count: number) =>
    many(count, (i) => ({
      head: Buffer.concat([key(`k${i}`), u32(9), u32(of), u64(length)]),
      zeros: length * bytes,
    }))

  /** Each entry is a head and then zeros. */
  function gguf(entries: readonly Entry[]): string {
    const header = Buffer.concat([Buffer.from('GGUF'), u32(3), u64(1), u64(entries.length)])
    let at = header.length
    const pieces = entries.map(({ head, zeros }): [number, Uint8Array] => {
      const start = at
      at += head.length + zeros
      return [start, head]
    })
    return writeSparse('model.gguf', at, [[0, header], ...pieces])
  }

  const longest = Buffer.concat([u64(2048), Buffer.alloc(2048, 'a')])

  it.each<[name: string, entries: Entry[], message: string]>([
    [
      'long texts',
      many(4096, (i) => ({ head: Buffer.concat([key(`k${i}`), u32(8), u64(65_536)]), zeros: 65_536 })),
      'its metadata have more than 4194304 bytes',
    ],
    ['long lists of numbers', lists(0, 4096, 1, 4096), 'its metadata have more than 4194304 bytes'],
    ['lists of empty texts', lists(8, 1 << 20, 8, 20), 'its metadata have more than 2097152 texts'],
    ['lists of empty lists', lists(9, 1 << 12, 12, 20), 'its metadata have more than 16384 arrays'],
    [
      'tokens that are as long as they can be',
      [
        {
          head: Buffer.concat([
            ...[key('tokenizer.ggml.tokens'), u32(9), u32(8), u64(65_536)],
            ...new Array<Buffer>(65_536).fill(longest),
          ]),
          zeros: 0,
        },
      ],
      'its tokens have more than 4194304 bytes',
    ],
  ])('with %s is refused', async (_, entries, message) => {
    const outcome = await outcomeOf(gguf(entries))
    expect(outcome).toContain('ERR_MODEL_CORRUPT')
    expect(outcome).toContain(message)
  })

  it('with texts that are far from one another is refused', async () => {
    const head = Buffer.concat([
      ...[Buffer.from('GGUF'), u32(3), u64(1), u64(1)],
      ...[key('k'), u32(9), u32(8), u64(5000)],
    ])
    const step = 8 + 70_000
    const texts = Array.from({ length: 5000 }, (_, i): [number, Uint8Array] => [
      head.length + i * step,
      u64(70_000),
    ])
    const path = writeSparse('model.gguf', head.length + 5000 * step, [[0, head], ...texts])
    expect(await outcomeOf(path)).toContain('its tables are in more than 4096 places')
  })
})

describe('an ONNX file', () => {
  let folder: string
  beforeAll(() => {
    folder = temporaryPath('onnx')
    return writeHuggingFaceFiles(folder, small)
  })

  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]
  const field = (number: number, ...parts: readonly Uint8Array[]) => {
    const bytes = Buffer.concat(parts)
    return Buffer.concat([Buffer.from([number * 8 + 2, ...varint(bytes.length)]), bytes])
  }
  const times = (count: number, bytes: Uint8Array) => new Array<Uint8Array>(count).fill(bytes)
  const text = Buffer.alloc(1024, 'a')

  it.each<[name: string, graph: () => Buffer, message: string]>([
    ['dimensions', () => field(5, Buffer.alloc(1 << 24, Buffer.from([8, 1]))), 'has 9 dimensions'],
    ['fields', () => Buffer.alloc(1 << 24, Buffer.from([0x50, 1])), 'it has more than 524288 fields'],
    [
      'texts',
      () => Buffer.concat(times(200, field(1, ...times(1000, field(1, text)), field(4, Buffer.from('Add'))))),
      'its texts have more than 16777216 bytes',
    ],
    [
      'places in other files',
      () => field(5, ...times(100_000, field(13, field(1, text), field(2, text)))),
      'its texts have more than 16777216 bytes',
    ],
  ])('with too many %s is refused', async (_, graph, message) => {
    const file = Buffer.concat([Buffer.from([8, 8]), field(7, graph())])
    writeFileSync(join(folder, 'encoder_model.onnx'), file)
    writeFileSync(join(folder, 'decoder_model.onnx'), file)
    const outcome = await outcomeOf(folder)
    expect(outcome).toContain('ERR_MODEL_CORRUPT')
    expect(outcome).toContain(message)
  })
})

describe('a file of PyTorch', () => {
  it('with a directory as large as an archive may have is refused', async () => {
    // Members with long names; what lies between the names of the directory is zero.
    const start = Buffer.from(buildZip([{ name: 'a/data.pkl', data: Buffer.from('N.') }])).subarray(0, 200)
    const count = 16_000
    const entry = (i: number) => {
      const bytes = Buffer.alloc(46)
      bytes.writeUInt32LE(0x02014b50)
      bytes.writeUInt16LE(8, 28)
      bytes.writeUInt16LE(65_000, 30)
      bytes.writeUInt16LE(65_000, 32)
      return Buffer.concat([bytes, Buffer.from(`a/${`${i}`.padStart(6, '0')}`)])
    }
    const step = entry(0).length + 130_000
    const end = Buffer.alloc(22)
    end.writeUInt32LE(0x06054b50)
    end.writeUInt16LE(count, 8)
    end.writeUInt16LE(count, 10)
    end.writeUInt32LE(count * step, 12)
    end.writeUInt32LE(start.length, 16)
    const pieces = Array.from({ length: count }, (_, i): [number, Uint8Array] => [
      start.length + i * step,
      entry(i),
    ])
    const size = start.length + count * step
    const path = writeSparse('model.pt', size + end.length, [[0, start], ...pieces, [size, end]])
    expect(await outcomeOf(path)).toContain('its directory has more than 4194304 bytes')
  })
})

describe('a file beside the weights', () => {
  let folder: string
  beforeAll(async () => {
    folder = temporaryPath('beside')
    await mkdir(folder)
    await writeSafetensorsFolder(folder, small)
  })

  it.each<[name: string, file: string, text: () => string, code: string]>([
    [
      'many tokens',
      'tokenizer.json',
      () => `{"model":{"vocab":{${list(560_000, (i) => `"${i}":${i}`)}}}}`,
      'CORRUPT',
    ],
    [
      'many added tokens',
      'tokenizer.json',
      () => `{"added_tokens":[${list(200_000, (i) => `{"content":"${i}","id":${i % 65_536}}`)}]}`,
      'CORRUPT',
    ],
    ['a deep nest', 'tokenizer.json', () => `{"a":${'['.repeat(8e6)}`, 'CORRUPT'],
    [
      'many lists',
      'config.json',
      () => JSON.stringify({ ...configJson(small), a: new Array(80_000).fill([]) }),
      'plan',
    ],
    [
      'many tensors in an index',
      'model.safetensors.index.json',
      () => `{"weight_map":{${list(200_000, (i) => `"${i}":"x"`)}}}`,
      'CORRUPT',
    ],
  ])('with %s (%s) is read in bounds', async (_, file, text, code) => {
    const sound = await readFile(join(folder, file)).catch(() => undefined)
    writeFileSync(join(folder, file), text())
    const outcome = await outcomeOf(file.includes('index') ? join(folder, file) : folder)
    expect(outcome).toContain(code)
    if (sound !== undefined) writeFileSync(join(folder, file), sound)
  })
})

describe('a safetensors file', () => {
  it.each<[name: string, header: () => string, code: string]>([
    [
      'many tensors',
      () => `{${list(100_000, (i) => `"${i}":{"dtype":"F16","shape":[0],"data_offsets":[0,0]}`)}}`,
      'it has more than 16384 tensors',
    ],
    [
      'long names',
      () =>
        `{${list(120, (i) => `"${i}${'a'.repeat(65_000)}":{"dtype":"F16","shape":[0],"data_offsets":[0,0]}`)}}`,
      'UNSUPPORTED',
    ],
  ])('with %s is refused', async (_, header, message) => {
    const text = Buffer.from(header())
    const path = temporaryPath('model.safetensors')
    writeFileSync(path, Buffer.concat([u64(text.length), text]))
    expect(await outcomeOf(path)).toContain(message)
  })
})

describe('a legacy ggml file', () => {
  it('with tokens that are as long as they can be is refused', async () => {
    const { tokens, ...parts } = ggmlParts(small)
    const long = tokens.map((token) => (token.length === 1 ? token : Buffer.alloc(1024)))
    const path = temporaryPath('tokens.bin')
    writeFileSync(path, assembleGgml({ ...parts, tokens: long }).bytes)
    expect(await outcomeOf(path)).toContain('its vocabulary is longer than 4194304 bytes')
  })
})
