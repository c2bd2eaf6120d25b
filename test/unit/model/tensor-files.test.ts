import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { closePlan, readModel } from '../../../lib/model/formats/index.ts'
import { rowBytes } from '../../../lib/model/ggml-types.ts'
import { GgmlType, type LoadPlan } from '../../../lib/model/plan.ts'
import { ct2Tokens } from '../../fixtures/ct2-builder.ts'
import { encodeF16 } from '../../fixtures/encode.ts'
import { configJson, tokenizerFiles, writeHuggingFaceFiles } from '../../fixtures/hf-files.ts'
import { huggingFaceTensors, type NamedTensor, openAiTensors } from '../../fixtures/hf-names.ts'
import { buildSafetensors } from '../../fixtures/safetensors-builder.ts'
import { tinyHyperparameters, tinyVocabulary, tinyWeights } from '../../fixtures/tiny-model.ts'
import {
  buildOpenAi,
  buildStateDictionary,
  buildTorch,
  Pickle,
  pickledTensor,
} from '../../fixtures/torch-builder.ts'
import { failureOf, temporaryFolder } from './support.ts'

const root = temporaryFolder()
/** As small as it gets: the embedding is most of it. */
const SMALL = { state: 32, layers: 1 }
const tensors = huggingFaceTensors(SMALL)
const HEAD = 'proj_out.weight'
let folders = 0

async function folderOf(files: Record<string, string | Uint8Array>): Promise<string> {
  const folder = join(root, `${folders++}`)
  await writeHuggingFaceFiles(folder, SMALL)
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content)
  return folder
}

/** What lies beside weights, by name. */
const companionsIn = (folder: string) =>
  Object.fromEntries(
    ['config.json', 'tokenizer.json'].map((name) => [name, readFileSync(join(folder, name))]),
  )

async function planOf(input: string | Promise<string>): Promise<LoadPlan> {
  const plan = await readModel(await input)
  await closePlan(plan)
  return plan
}

async function expectWeights(folder: string, options: typeof SMALL = SMALL): Promise<LoadPlan> {
  const plan = await readModel(folder)
  for (const [name, values] of tinyWeights(options)) {
    const tensor = plan.tensors.find((candidate) => candidate.name === name)
    const part = tensor?.parts[0]
    const source = plan.sources[part?.source ?? -1]
    if (!tensor || !part || !source) throw new Error(`no tensor ${name}`)
    const bytes = await source.read(part.offset, part.rows * rowBytes(part.type, tensor.shape[0] as number))
    expect(Buffer.compare(bytes, encodeF16(values)), name).toBe(0)
  }
  await closePlan(plan)
  return plan
}

const tensorOf = (name: string) => tensors.find((tensor) => tensor.name === name) as NamedTensor
const embedding = tensorOf('model.decoder.embed_tokens.weight')
const like = (name: string, other: string, data = tensorOf(other).data): NamedTensor => ({
  ...tensorOf(other),
  name,
  data,
})

/** The same tensors in two files, and the index of them. */
function shards(ending: string, build: (tensors: NamedTensor[]) => Uint8Array) {
  const names = [1, 2].map((i) => `part-0000${i}-of-00002.${ending}`) as [string, string]
  const [first, second] = [tensors.slice(0, 10), tensors.slice(10)]
  const map = [...first.map(({ name }) => [name, names[0]]), ...second.map(({ name }) => [name, names[1]])]
  return {
    [names[0]]: build(first),
    [names[1]]: build(second),
    index: JSON.stringify({ metadata: { total_size: 1e6 }, weight_map: Object.fromEntries(map) }, null, 2),
  }
}

const formats = [
  ['safetensors', 'model.safetensors', 'model.safetensors.index.json', buildSafetensors],
  ['pytorch', 'pytorch_model.bin', 'pytorch_model.bin.index.json', buildStateDictionary],
] as const

describe.each(formats)('a folder of %s', (format, file, index, build) => {
  it('becomes a plan with all that is in it', async () => {
    const options = { state: 64, layers: 2 }
    const folder = join(root, `whole-${format}`)
    await writeHuggingFaceFiles(folder)
    writeFileSync(join(folder, file), build(huggingFaceTensors()))
    const plan = await expectWeights(folder, options)
    expect(plan).toMatchObject({
      format,
      dialect: 'Hugging Face, one file',
      hyperparameters: tinyHyperparameters(),
      weightType: GgmlType.F16,
      conversions: ['54 tensors f16 -> f32'],
    })
    expect(plan.melFilters.length).toBe(80 * 201)
    expect(Buffer.compare(plan.vocabulary.bytes, Buffer.concat(tinyVocabulary()))).toBe(0)
  })

  it('may be named by its file, and come without config.json', async () => {
    const folder = await folderOf({ [file]: build(huggingFaceTensors({ ...SMALL, state: 64 })) })
    rmSync(join(folder, 'config.json'))
    expect((await planOf(join(folder, file))).hyperparameters.audioHeads).toBe(1)
  })

  it.each([
    ['f32', ['19 tensors f32 -> f16']],
    ['bf16', ['19 tensors bf16 -> f16', '31 tensors bf16 -> f32']],
  ] as const)('of %s weights is loaded as f16, and says so', async (type, conversions) => {
    const plan = await planOf(folderOf({ [file]: build(huggingFaceTensors({ ...SMALL, type })) }))
    expect(plan.weightType).toBe(GgmlType.F16)
    expect(plan.conversions.toSorted()).toEqual(conversions)
  })

  it('may be in several files', async () => {
    const { index: text, ...files } = shards(format, build)
    const folder = await folderOf({ ...files, [index]: text })
    const plan = await expectWeights(folder)
    expect(plan).toMatchObject({ format, dialect: 'Hugging Face, 2 files' })
    expect(plan.sources.length).toBe(2)
  })

  it.each([
    [
      'is missing',
      (map: Record<string, string>, [name]: string[]) => delete map[name as string],
      'of which the index does not know',
    ],
    [
      'is elsewhere',
      (map, [name, other]) => {
        map[name as string] = map[other as string] as string
      },
      'which the index says it has',
    ],
    [
      'is a path',
      (map, [name]) => {
        map[name as string] = `../${map[name as string]}`
      },
      'the name of a file in its folder is needed',
    ],
    [
      'is an absolute path',
      (map, [name]) => {
        map[name as string] = '/etc/passwd'
      },
      'the name of a file in its folder is needed',
    ],
    [
      'is in no file',
      (map, [name]) => {
        map[name as string] = 'nothing'
      },
      '"nothing" is missing',
    ],
    [
      'is in another file',
      (map, [name]) => {
        map[name as string] = 'config.json'
      },
      'a JSON text',
    ],
  ] as [string, (map: Record<string, string>, names: string[]) => void, string][])(
    'whose index is wrong is refused: a tensor %s',
    async (_, change, message) => {
      const { index: text, ...files } = shards(format, build)
      const content = JSON.parse(text)
      const names = Object.keys(content.weight_map)
      change(content.weight_map, [names[0] as string, names[20] as string])
      const folder = await folderOf({ ...files, [index]: JSON.stringify(content) })
      const failure = await failureOf(readModel(folder))
      expect(failure.code).toMatch(/^ERR_MODEL_(CORRUPT|FORMAT)$/)
      expect(failure.message).toContain(message)
    },
  )

  it('is not read from one of several files', async () => {
    const name = `model-00001-of-00002.${format}`
    const failure = await failureOf(readModel(join(await folderOf({ [name]: build(tensors) }), name)))
    expect(failure).toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      advice: [expect.stringContaining('.index.json')],
    })
  })

  // With one token more, an English vocabulary is as large as that of many languages.
  it.each([1, 2, 3])('is cut back to the vocabulary of Whisper: %d tokens', async (more) => {
    const rows = 51864 + more
    const data = Buffer.concat([embedding.data, Buffer.alloc(more * 64, 1)])
    const larger = tensors.map((tensor) =>
      tensor === embedding ? { ...tensor, shape: [rows, 32], data } : tensor,
    )
    const added = Array.from({ length: more }, (_, i) => `<|added ${i}|>`)
    const folder = await folderOf({
      [file]: build(larger),
      'config.json': JSON.stringify({ ...configJson(SMALL), vocab_size: rows }),
      'tokenizer.json': tokenizerFiles([...ct2Tokens(), ...added])['tokenizer.json'],
    })
    const plan = await expectWeights(folder)
    expect(plan.hyperparameters.vocabularySize).toBe(51864)
    expect(plan.conversions[0]).toBe(`${more} tokens beyond Whisper's vocabulary are left out`)
  })

  it('may be links, all of them, to wherever they are kept', async () => {
    const { index: text, ...files } = shards(format, build)
    const stores = [await folderOf({}), await folderOf({})]
    const folder = join(root, `links-${format}`)
    mkdirSync(folder)
    const all = { ...files, [index]: text, 'x.bin': '', ...companionsIn(stores[0] as string) }
    for (const [i, [name, content]] of Object.entries(all).entries()) {
      const store = join(stores[i % 2] as string, `digest-${i}`)
      writeFileSync(store, content)
      symlinkSync(store, join(folder, name))
    }
    await expectWeights(folder)
  })

  it('may not be links out of the folder beside weights of its own', async () => {
    const { index: text, ...files } = shards(format, build)
    const elsewhere = await folderOf(files)
    const folder = await folderOf({ [index]: text, 'own.safetensors': 'x' })
    for (const name of Object.keys(files)) symlinkSync(join(elsewhere, name), join(folder, name))
    const failure = await failureOf(readModel(folder))
    expect(failure.code).toBe('ERR_MODEL_UNSUPPORTED')
    expect(failure.message).toContain('it is a link out of the folder of the model')
  })

  it('may be links in the cache of the hub', async () => {
    const { index: text, ...files } = shards(format, build)
    const cache = join(root, `models--me--${format}`)
    const snapshot = join(cache, 'snapshots', 'revision')
    await writeHuggingFaceFiles(snapshot, SMALL)
    writeFileSync(join(snapshot, index), text)
    mkdirSync(join(cache, 'blobs'))
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(cache, 'blobs', `blob-${name}`), content)
      symlinkSync(`../../blobs/blob-${name}`, join(snapshot, name))
    }
    await expectWeights(snapshot)
  })

  it('leaves no file open when it is refused', async () => {
    const { index: text, ...files } = shards(format, build)
    const [name] = Object.keys(files)
    const folder = await folderOf({
      ...files,
      [index]: text.replaceAll('self_attn.q_proj', 'self_attn.qq_proj'),
    })
    const before = readdirSync('/proc/self/fd').length
    for (const path of [folder, join(folder, name as string)]) {
      await failureOf(readModel(path))
      await failureOf(readModel(path, { weightType: 'q4_k' }))
    }
    // Sound, but not in this type: all files were open.
    writeFileSync(join(folder, index), text)
    await failureOf(readModel(folder, { weightType: 'q4_k' }))
    expect(readdirSync('/proc/self/fd').length).toBe(before)
  })

  it('may lack the positions of the encoder', async () => {
    const rest = tensors.filter(({ name }) => !name.endsWith('encoder.embed_positions.weight'))
    const plan = await planOf(folderOf({ [file]: build(rest) }))
    expect(plan.conversions).toContain('the positions of the encoder are computed')
  })

  it('may have the output head twice, zero biases of keys and other prefixes', async () => {
    const zeros = like(
      'model.encoder.layers.0.self_attn.k_proj.bias',
      'model.encoder.layer_norm.bias',
      new Uint8Array(64),
    )
    const all = [...tensors, { ...embedding, name: HEAD }, zeros]
    await planOf(folderOf({ [file]: build(all) }))
    await planOf(
      folderOf({ [file]: build(all.map((tensor) => ({ ...tensor, name: `module.model.${tensor.name}` }))) }),
    )
  })

  it.each([
    ['another output head', like(HEAD, embedding.name, embedding.data.toReversed()), 'untied output head'],
    [
      'biases of keys',
      like('model.encoder.layers.0.self_attn.k_proj.bias', 'model.encoder.layer_norm.weight'),
      'a bias for keys',
    ],
    [
      'an adapter',
      like(
        'base_model.model.model.encoder.layers.0.self_attn.q_proj.lora_A.weight',
        'model.encoder.layer_norm.weight',
      ),
      'it is an adapter',
    ],
    ['something else', like('model.encoder.extra', 'model.encoder.layer_norm.weight'), 'not part of Whisper'],
    [
      'a name of JavaScript',
      like('constructor.weight', 'model.encoder.layer_norm.weight'),
      '"constructor.weight" among them',
    ],
    [
      'another name of JavaScript',
      like('__proto__', 'model.encoder.layer_norm.weight'),
      'not part of Whisper',
    ],
  ])('with %s is refused', async (_, tensor, message) => {
    const list = tensor.name.includes('lora') ? [tensor] : [...tensors, tensor]
    const failure = await failureOf(readModel(await folderOf({ [file]: build(list) })))
    expect(failure.code).toBe('ERR_MODEL_UNSUPPORTED')
    expect(failure.message).toContain(message)
  })

  it('with a tensor missing, or under two names, is damaged', async () => {
    const missing = await failureOf(readModel(await folderOf({ [file]: build(tensors.slice(0, -1)) })))
    expect(missing.code).toBe('ERR_MODEL_CORRUPT')
    const twice = [...tensors, { ...embedding, name: 'decoder.embed_tokens.weight' }]
    const failure = await failureOf(readModel(await folderOf({ [file]: build(twice) })))
    expect(failure.message).toContain('tensor "decoder.token_embedding.weight" is there twice')
  })

  it('whose config.json says something else is damaged', async () => {
    const config = JSON.stringify({ ...configJson(SMALL), encoder_layers: 2 })
    const failure = await failureOf(
      readModel(await folderOf({ [file]: build(tensors), 'config.json': config })),
    )
    expect(failure.code).toBe('ERR_MODEL_CORRUPT')
    expect(failure.message).toContain('audioLayers is 2')
  })

  it('as bytes, or alone in its folder, has the vocabulary of OpenAI, and says so', async () => {
    const bytes = build(huggingFaceTensors({ layers: 1 }))
    const folder = join(root, `${folders++}`)
    mkdirSync(folder)
    writeFileSync(join(folder, 'x.model'), bytes)
    for (const input of [bytes, join(folder, 'x.model')]) {
      const plan = await readModel(input)
      await closePlan(plan)
      expect(plan.conversions).toContain("it has no vocabulary of its own: OpenAI's is used")
      expect(plan.vocabulary.lengths).toHaveLength(50_256)
      expect(Buffer.from(plan.vocabulary.bytes.subarray(0, 3)).toString()).toBe('!"#')
    }
  })

  it('with the tensors of Silero is a voice activity model', async () => {
    const names = ['stft_conv.weight', 'lstm_cell.weight_ih']
    const list = names.map((name) => like(name, 'model.encoder.layer_norm.weight'))
    const failure = await failureOf(readModel(build(list)))
    expect(failure.code).toBe('ERR_MODEL_FORMAT')
    expect(failure.message).toContain('a Silero voice activity model')
  })
})

describe('a folder', () => {
  it('is read from safetensors before PyTorch', async () => {
    const files = { 'pytorch_model.bin': 'x', 'model.safetensors': buildSafetensors(tensors) }
    expect((await planOf(folderOf(files))).format).toBe('safetensors')
  })

  it('of an adapter alone is refused by name', async () => {
    const list = [
      like('base_model.model.model.decoder.layers.0.fc1.lora_B.weight', 'model.encoder.layer_norm.weight'),
    ]
    const folder = join(root, 'adapter')
    mkdirSync(folder)
    writeFileSync(join(folder, 'adapter_model.safetensors'), buildSafetensors(list))
    const failure = await failureOf(readModel(folder))
    expect(failure).toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      advice: [expect.stringContaining('merge_and_unload')],
    })
  })
})

describe('a checkpoint of OpenAI', () => {
  const parameters = tinyHyperparameters(SMALL)
  const dimensions = {
    n_mels: 80,
    n_vocab: 51864,
    n_audio_ctx: 1500,
    n_audio_state: 32,
    n_audio_head: 1,
    n_audio_layer: 1,
    n_text_ctx: 448,
    n_text_state: 32,
    n_text_head: 1,
    n_text_layer: 1,
  }

  it.each([
    ['English', 51864, 50256],
    ['multilingual', 51865, 50257],
  ] as const)('has the standard vocabulary: %s', async (kind, n_vocab, count) => {
    const multilingual = kind === 'multilingual'
    const list = openAiTensors({ ...SMALL, multilingual })
    const plan = await readModel(buildOpenAi(list, { ...dimensions, n_vocab }))
    expect(plan).toMatchObject({ format: 'pytorch', dialect: 'OpenAI, one file' })
    expect(plan.hyperparameters).toEqual({ ...parameters, vocabularySize: n_vocab })
    const { bytes, lengths } = plan.vocabulary
    expect(lengths.length).toBe(count)
    let at = 0
    const words = Array.from(lengths, (length) => {
      at += length
      return Buffer.from(bytes.subarray(at - length, at)).toString('latin1')
    })
    expect([words[220], words[multilingual ? 264 : 262], words[13]]).toEqual([' ', ' the', '.'])
    await closePlan(plan)
  })

  it('must have the dimensions that it says', async () => {
    const bytes = buildOpenAi(openAiTensors(SMALL), { ...dimensions, n_audio_layer: 2 })
    expect((await failureOf(readModel(bytes))).message).toContain('audioLayers is 2')
  })

  it('with another vocabulary is refused', async () => {
    const list = openAiTensors(SMALL).map((tensor) =>
      tensor.name === 'decoder.token_embedding.weight'
        ? { ...tensor, shape: [51867, 32], data: new Uint8Array(51867 * 64) }
        : tensor,
    )
    const failure = await failureOf(readModel(buildOpenAi(list, { n_audio_head: 1, n_text_head: 1 })))
    expect(failure.code).toBe('ERR_MODEL_UNSUPPORTED')
    expect(failure.message).toContain('it has 51867 tokens')
  })
})

describe('tensors of PyTorch', () => {
  const FC1 = 'model.encoder.layers.0.fc1.weight'
  const all = tensors.map((tensor, i) => pickledTensor(tensor, `${i}`))
  const data = tensors.map((tensor) => tensor.data)
  const build = (change: Partial<(typeof all)[number]>, ordered = false) => {
    const list = all.map((tensor) => (tensor.name === FC1 ? { ...tensor, ...change } : tensor))
    return buildTorch(new Pickle().state(list, ordered).finish(), data)
  }

  it('may be transposed', async () => {
    const plan = await planOf(folderOf({ 'pytorch_model.bin': build({ strides: [1, 128] }) }))
    const tensor = plan.tensors.find(({ name }) => name === 'encoder.blocks.0.mlp.0.weight')
    expect(tensor).toMatchObject({ shape: [32, 128], parts: [{ strides: [128, 1], rows: 128 }] })
  })

  it('may lie in one storage', async () => {
    const halves = data.map((part) => part)
    const whole = Buffer.concat(halves)
    let start = 0
    const list = all.map((tensor) => {
      const placed = { ...tensor, key: '0', start, count: whole.byteLength / 2 }
      start += tensor.count
      return placed
    })
    const folder = await folderOf({
      'pytorch_model.bin': buildTorch(new Pickle().state(list, true).finish(), [whole]),
    })
    await expectWeights(folder)
  })

  it.each([
    ['with gaps', { sizes: [64, 32], strides: [64, 1] }, 'ERR_MODEL_UNSUPPORTED', 'is not contiguous'],
    ['of one value', { strides: [0, 0] }, 'ERR_MODEL_UNSUPPORTED', 'is not contiguous'],
    ['beyond its storage', { start: 1 }, 'ERR_MODEL_CORRUPT', 'does not lie in its storage'],
    ['far beyond its storage', { start: 2 ** 52 }, 'ERR_MODEL_CORRUPT', 'does not lie in its storage'],
    [
      'of endless size',
      { sizes: [2 ** 52, 2 ** 52], strides: [0, 0] },
      'ERR_MODEL_UNSUPPORTED',
      'is not contiguous',
    ],
    [
      'of endless strides',
      { strides: [2 ** 52, 2 ** 52] },
      'ERR_MODEL_CORRUPT',
      'does not lie in its storage',
    ],
    ['of no storage', { key: '999' }, 'ERR_MODEL_CORRUPT', 'is missing'],
    [
      'of a storage elsewhere',
      { key: '../../etc/passwd' },
      'ERR_MODEL_CORRUPT',
      'something else than a storage',
    ],
    ['of a storage of another size', { count: 7 }, 'ERR_MODEL_CORRUPT', 'where its 7 values need 14'],
    [
      'of nine dimensions',
      { sizes: Array(9).fill(1), strides: Array(9).fill(1) },
      'ERR_MODEL_CORRUPT',
      'without storage, sizes or strides',
    ],
    ['of sizes without strides', { strides: [] }, 'ERR_MODEL_CORRUPT', 'without storage, sizes or strides'],
    ['of a negative size', { sizes: [-1, 32] }, 'ERR_MODEL_CORRUPT', 'without storage, sizes or strides'],
    ['of another shape', { sizes: [32, 128], strides: [128, 1] }, 'ERR_MODEL_CORRUPT', 'has shape'],
    ['of integers', { storage: 'torch LongStorage' }, 'ERR_MODEL_UNSUPPORTED', 'is a torch.LongStorage'],
    ['of double', { storage: 'torch DoubleStorage' }, 'ERR_MODEL_UNSUPPORTED', 'is a torch.DoubleStorage'],
    [
      'of an unknown storage',
      { storage: 'torch QInt8Storage' },
      'ERR_MODEL_UNSUPPORTED',
      'asks for "torch.QInt8Storage"',
    ],
  ] as const)('%s are refused', async (_, change, code, message) => {
    const failure = await failureOf(readModel(await folderOf({ 'pytorch_model.bin': build(change) })))
    expect(failure.message).toContain(message)
    expect(failure.code).toBe(code)
  })
})

describe('a checkpoint with sizes that Whisper does not have', () => {
  /** As wide as it must be; the tensors whose shape depends on a size are made anew. */
  async function outcome(changes: Record<string, unknown>, resized: Record<string, number>) {
    const options = { layers: 1 }
    const list = huggingFaceTensors(options).map((tensor) => {
      const rows = resized[tensor.name]
      if (rows === undefined) return tensor
      const shape = [rows, ...tensor.shape.slice(1)]
      return {
        ...tensor,
        shape,
        data: new Uint8Array(4 * shape.reduce((a, b) => a * b, 1)),
        type: 'f32' as const,
      }
    })
    const folder = join(root, `${folders++}`)
    await writeHuggingFaceFiles(folder, options)
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...configJson(options), ...changes }))
    writeFileSync(join(folder, 'model.safetensors'), buildSafetensors(list))
    return failureOf(readModel(folder))
  }

  it.each([
    [
      '3000 audio positions',
      { max_source_positions: 3000 },
      { 'model.encoder.embed_positions.weight': 3000 },
      'n_audio_ctx is 3000',
    ],
    [
      '1024 text positions',
      { max_target_positions: 1024 },
      { 'model.decoder.embed_positions.weight': 1024 },
      'n_text_ctx is 1024',
    ],
    [
      '16 text positions',
      { max_target_positions: 16 },
      { 'model.decoder.embed_positions.weight': 16 },
      'n_text_ctx is 16',
    ],
    [
      '80,000 tokens',
      { vocab_size: 80_000 },
      { 'model.decoder.embed_tokens.weight': 80_000 },
      '80000 tokens',
    ],
    [
      '32,000 tokens',
      { vocab_size: 32_000 },
      { 'model.decoder.embed_tokens.weight': 32_000 },
      '32000 tokens',
    ],
  ])('is sound, but not for this version: %s', async (_, config, sizes, message) => {
    expect(await outcome(config, sizes)).toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      message: expect.stringContaining(message),
    })
  })
})
