import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readPyTorch } from '../../../lib/model/formats/pytorch.ts'
import { unpickle } from '../../../lib/model/formats/unpickler.ts'
import { bytesSource } from '../../../lib/model/sources.ts'
import { Pacer } from '../../../lib/pacer.ts'
import { buildTorch, buildZip, Pickle, type PickledTensor } from '../../fixtures/torch-builder.ts'
import { failureOf, outcomeOf, withFlippedBit } from './support.ts'

const read = (bytes: Uint8Array) => readPyTorch(bytesSource(bytes), new Pacer())
const data = new Uint8Array(16)
const tensor: PickledTensor = {
  name: 'a',
  storage: 'torch FloatStorage',
  key: '0',
  count: 4,
  start: 0,
  sizes: [2, 2],
  strides: [2, 1],
}
const good = new Pickle().state([tensor], true).finish()
const failureWith = (pickle: Pickle) => failureOf(read(buildTorch(pickle.finish(), [data])))

describe('a good file', () => {
  it.each([
    ['ordered', good],
    ['not ordered', new Pickle().state([tensor], false).finish()],
    [
      'under model_state_dict',
      new Pickle().raw('}').text('model_state_dict').state([tensor], true).raw('s').finish(),
    ],
    ['under state_dict', new Pickle().raw('}').text('state_dict').state([tensor], true).raw('s').finish()],
    [
      'beside the state of a training',
      new Pickle()
        .raw('}(')
        .text('model')
        .state([tensor], true)
        .text('epoch')
        .raw('K\x03')
        .text('lr')
        .raw('G', ...Buffer.alloc(8))
        .text('log')
        .raw('](NN', 0x88, 'eu')
        .finish(),
    ],
    // As torch.save of PyTorch 2.15 writes np.float64, np.arange, Namespace, PosixPath, device, dtype, Size, set, and keys that are no texts.
    [
      'beside records of a training',
      new Pickle()
        .raw('}(')
        .text('state_dict')
        .state([tensor], true)
        .text('loss')
        .global('numpy.core.multiarray scalar')
        .global('numpy dtype')
        .text('f8')
        .raw(0x89, 0x88, 0x87, 'R(K\x03')
        .text('<')
        .raw('NNNK\x00tb')
        .global('_codecs encode')
        .text('\x9a?')
        .text('latin1')
        .raw(0x86, 'R', 0x86, 'R')
        .text('steps')
        .global('numpy._core.multiarray _reconstruct')
        .global('numpy ndarray')
        .raw('K\x00', 0x85, 'N', 0x87, 'R(K\x01K\x03', 0x85, 'NtbK\x05N')
        .text('args')
        .global('argparse Namespace')
        .raw(')', 0x81, '}')
        .text('lr')
        .raw('Nsb')
        .text('path')
        .global('pathlib PosixPath')
        .text('a')
        .raw(0x85, 'R')
        .text('device')
        .global('torch device')
        .text('cpu')
        .raw(0x85, 'R')
        .text('type')
        .global('torch float16')
        .text('size')
        .global('torch Size')
        .raw('K\x01K\x02', 0x86, 0x85, 'R')
        .text('set')
        .global('__builtin__ set')
        .raw('](K\x01K\x02e', 0x85, 'R')
        .text('keys')
        .raw('}(', 'NK\x01', 0x88, 'K\x02K\x01K\x02', 0x86, 'K\x03u')
        .text('seed')
        .raw(0x8a, 9, ...Buffer.alloc(8), '@u')
        .finish(),
    ],
    // As Python 3.11 writes bytes, bytearray, set, frozenset and defaultdict(int) with protocol 5.
    [
      'beside bytes and sets',
      new Pickle()
        .raw('}(')
        .text('state_dict')
        .state([tensor], true)
        .text('bytes')
        .raw('C\x02ab')
        .text('more bytes')
        .raw('B\x02\x00\x00\x00ab')
        .text('most bytes')
        .raw(0x8e, 2, ...Buffer.alloc(7), 'ab')
        .text('bytearray')
        .raw(0x96, 2, ...Buffer.alloc(7), 'ab')
        .text('set')
        .raw(0x8f, '(K\x01K\x02', 0x90)
        .text('frozenset')
        .raw('(K\x01', 0x91)
        .text('counts')
        .global('collections defaultdict')
        .global('builtins int')
        .raw(0x85, 'R')
        .text('steps')
        .raw('K\x07s')
        .raw('u')
        .finish(),
    ],
    ['of DeepSpeed', new Pickle().raw('}').text('module').state([tensor], true).raw('s').finish()],
    [
      'of parameters with attributes',
      new Pickle()
        .raw('}')
        .text('a')
        .global('torch._utils _rebuild_parameter_with_state')
        .raw('(')
        .tensor(tensor)
        .raw(0x89, '}}tRs')
        .finish(),
    ],
    [
      'of parameters',
      new Pickle()
        .raw('}')
        .text('a')
        .global('torch._utils _rebuild_parameter')
        .raw('(')
        .tensor(tensor)
        .raw(0x89, '}tRs')
        .finish(),
    ],
  ])('has tensors: %s', async (_, pickle) => {
    const { tensors } = await read(buildTorch(pickle, [data]))
    expect([...tensors]).toEqual([['a', { offset: expect.any(Number), type: 0, shape: [2, 2] }]])
  })

  it('may have protocol 4', async () => {
    const text = (value: string) => [0x8c, value.length, value, 0x94]
    const pickle = new Pickle().raw(0x80, 4, 0x95, ...Buffer.alloc(8), '}', 0x94, ...text('a'))
    pickle.raw(...text('torch._utils'), ...text('_rebuild_tensor_v2'), 0x93, 0x94, '((').text('storage')
    pickle
      .raw(...text('torch'), ...text('HalfStorage'), 0x93)
      .text('0')
      .text('cpu')
      .raw('K\x08tQK\x00K\x08', 0x85, 'K\x01', 0x85, 0x89, '}tRs')
    const { tensors } = await read(buildTorch(pickle.finish(), [data]))
    expect(tensors.get('a')).toMatchObject({ type: 1, shape: [8] })
  })
})

describe('a pickle', () => {
  it.each([
    ['os system', '"os.system"'],
    ['posix system', '"posix.system"'],
    ['builtins eval', '"builtins.eval"'],
    ['__builtin__ getattr', '"__builtin__.getattr"'],
    ['torch.hub load', '"torch.hub.load"'],
    ['numpy.core.multiarray fromfile', '"numpy.core.multiarray.fromfile"'],
    ['argparse FileType', '"argparse.FileType"'],
    ['torch._utils __class__', '"torch._utils.__class__"'],
    ['collections OrderedDict.fromkeys', '"collections.OrderedDict.fromkeys"'],
  ])('that asks for %s is refused by name', async (name, shown) => {
    const failure = await failureWith(new Pickle().global(name).raw('(').text('true').raw('tR'))
    expect(failure.code).toBe('ERR_MODEL_UNSUPPORTED')
    expect(failure.message).toContain(`its pickle asks for ${shown}`)
  })

  // INST, OBJ, NEWOBJ_EX, EXT1, EXT2, EXT4, PERSID, STRING, INT, FLOAT, POP, DUP, NEXT_BUFFER
  it.each([0x69, 0x6f, 0x92, 0x82, 0x83, 0x84, 0x50, 0x53, 0x49, 0x46, 0x30, 0x32, 0x97])(
    'with the operation %d is refused',
    async (operation) => {
      const failure = await failureWith(new Pickle().raw(operation))
      expect(failure.code).toBe('ERR_MODEL_UNSUPPORTED')
      expect(failure.message).toContain(`operation 0x${operation.toString(16)} at byte 2`)
    },
  )

  it.each<[string, Pickle, string]>([
    ['takes from an empty stack', new Pickle().raw(0x85), 'takes more than there is'],
    ['takes a mark', new Pickle().raw('(', 0x85), 'takes more than there is'],
    ['misses a mark', new Pickle().raw('}u'), 'takes more than there is'],
    ['has no result', new Pickle(), 'takes more than there is'],
    ['leaves something over', new Pickle().raw('}}'), 'leaves something over'],
    ['goes on after its end', new Pickle().raw('}.}'), 'is followed by something'],
    ['recalls what is not there', new Pickle().raw('h\x05'), 'recalls an object 5'],
    ['appends to a dictionary', new Pickle().raw('}Na'), 'something else than a list'],
    ['sets items of a list', new Pickle().raw(']NNs'), 'something else than a dictionary'],
    ['adds to a list', new Pickle().raw('](N', 0x90), 'something else than a set'],
    ['has more bytes than there are', new Pickle().raw('B\xff\xff\xff\x7f'), 'ends too early'],
    ['has 2^63 bytes', new Pickle().raw(0x8e, ...Buffer.alloc(7), 0x80), 'ends too early'],
    ['sets half an item', new Pickle().raw('}(Nu'), 'something else than a dictionary'],
    [
      'has a key of a tuple',
      new Pickle().raw('})').tensor(tensor).raw('s'),
      'its entry "Symbol()" is not a tensor',
    ],
    [
      'has nested tuples for a key',
      new Pickle().raw('}()', ...new Array<number>(30_000).fill(0x85), 'q\x00Nh\x00Nu'),
      'its entry "Symbol()" is not a tensor',
    ],
    [
      'names something by nested tuples',
      new Pickle().raw(')', ...new Array<number>(60_000).fill(0x85), ')', 0x93),
      'by what is no text',
    ],
    ['has a key twice', new Pickle().raw('}(').text('a').raw('N').text('a').raw('Nu'), 'the key "a" twice'],
    ['calls a text', new Pickle().text('os.system').raw(')R'), 'something that is no function'],
    [
      'calls with a text',
      new Pickle().global('collections OrderedDict').text('a').raw('R'),
      'something that is no function',
    ],
    [
      'makes a dictionary of something',
      new Pickle().global('collections OrderedDict').raw(']', 0x85, 'R'),
      'arguments that it does not take',
    ],
    [
      'calls a storage',
      new Pickle().global('torch FloatStorage').raw(')R'),
      'arguments that it does not take',
    ],
    [
      'makes a parameter of a text',
      new Pickle().global('torch._utils _rebuild_parameter').text('a').raw(0x85, 'R'),
      'arguments that it does not take',
    ],
    [
      'makes a tensor of nothing',
      new Pickle().global('torch._utils _rebuild_tensor_v2').raw(')R'),
      'a tensor without storage',
    ],
    ['loads a text', new Pickle().text('0').raw('Q'), 'something else than a storage'],
    ['loads another object', new Pickle().text('module').raw(0x85, 'Q'), 'something else than a storage'],
    ['sets attributes of a tensor', new Pickle().tensor(tensor).raw('}b'), 'attributes of something else'],
    ['sets attributes from a list', new Pickle().raw('}]b'), 'attributes of something else'],
    [
      'has a tensor that begins beyond 2^53',
      new Pickle()
        .global('torch._utils _rebuild_tensor_v2')
        .raw('((')
        .text('storage')
        .global('torch FloatStorage')
        .text('0')
        .text('cpu')
        .raw('K\x04tQ', 0x8a, 9, ...Buffer.alloc(8), '\x01', 'K\x04', 0x85, 'K\x01', 0x85, 'tR'),
      'a tensor without storage',
    ],
    [
      'has a number of numpy for a tensor',
      new Pickle().raw('}').text('a').global('numpy.core.multiarray scalar').raw(')Rs'),
      'its entry "a" is not a tensor',
    ],
    ['has a text beyond its end', new Pickle().raw('X\xff\xff\xff\xff'), 'ends too early'],
    ['has a name without an end', new Pickle().raw(`c${'a'.repeat(300)}`), 'a name without an end'],
    ['is nested too deeply', new Pickle().raw('('.repeat(70_000)), 'nested too deeply'],
    [
      'makes too many objects',
      new Pickle().raw('](', '}'.repeat(60_000), 'e(', '}'.repeat(10_000), 'e'),
      'too many objects',
    ],
    ['never comes to its end', new Pickle().raw(']', 'Na'.repeat(300_000)), 'more than 524288 operations'],
    [
      'has text for a state',
      new Pickle().raw('}').text('a').text('b').raw('s'),
      'its entry "a" is not a tensor',
    ],
    [
      'has a tensor without a name',
      new Pickle().raw('}K\x01').tensor(tensor).raw('s'),
      'its entry "1" is not a tensor',
    ],
    [
      'has dims that are an object',
      new Pickle()
        .raw('}(')
        .text('model')
        .raw('}')
        .text('dims')
        .global('argparse Namespace')
        .raw(')', 0x81, 'u'),
      'not a dictionary of plain numbers',
    ],
    [
      'has dims of numpy',
      new Pickle()
        .raw('}(')
        .text('model')
        .raw('}')
        .text('dims')
        .raw('}')
        .text('n_mels')
        .global('numpy._core.multiarray scalar')
        .raw(')Rsu'),
      'not a dictionary of plain numbers',
    ],
    ['is a list', new Pickle().raw(']'), 'not a dictionary of tensors'],
  ])('that %s is refused', async (_, pickle, message) => {
    const failure = await failureWith(pickle)
    expect(failure.message).toContain(message)
    expect(failure.code).toMatch(/^ERR_MODEL_(CORRUPT|UNSUPPORTED)$/)
  })

  it('of protocol 0, 1 or 6 is refused', async () => {
    for (const protocol of [0, 1, 6])
      expect((await failureWith(new Pickle().raw(0x80, protocol))).message).toContain(
        `has protocol ${protocol}`,
      )
  })

  it('cut to any length is damaged', async () => {
    for (let length = 0; length < good.byteLength; length++) {
      const failure = await failureOf(read(buildTorch(good.subarray(0, length), [data])))
      expect(failure.code, `${length}`).toBe('ERR_MODEL_CORRUPT')
    }
  })

  it('of bytes at random gives a value or a WhisperHipError, and calls nothing that is not allowed', async () => {
    const operations = [...good, ...Buffer.from('.(NK}])tasueqrhjcRQb'), 0x85, 0x86, 0x87, 0x93, 0x94]
    const meaning = {
      globals: new Set(['a.b']),
      call: (name: string) => expect(name).toBe('a.b'),
      load: () => null,
    }
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...operations), { maxLength: 200 }), async (bytes) => {
        const outcome = await unpickle(Uint8Array.from(bytes), 'file', meaning, new Pacer()).catch(
          (error: { code?: string }) => error.code ?? error,
        )
        if (outcome instanceof Error) throw outcome
      }),
      { numRuns: 2000 },
    )
  })
})

describe('an archive', () => {
  const member = (name: string, content: Uint8Array | string = data) => ({ name, data: Buffer.from(content) })
  const members = [member('x/data.pkl', good), member('x/data/0')]
  const failureOfZip = (...list: Parameters<typeof buildZip>[0]) => failureOf(read(buildZip(list)))

  it.each([
    ['a member twice', [...members, member('x/data/0')], '"x/data/0" is there twice'],
    ['two pickles', [...members, member('x/data.pkl')], '"x/data.pkl" is there twice'],
    ['members in two folders', [...members, member('y/data/1')], 'is not in the folder "x/"'],
    ['members in no folder', [member('data.pkl', good)], 'is not in the folder'],
    ['a path out of it', [...members, member('x/../../etc/passwd')], 'not a sound zip archive'],
    ['an absolute path', [member('/x/data.pkl')], 'not a sound zip archive'],
    ['no pickle', [members[1] as { name: string; data: Buffer }], 'data.pkl is missing'],
    [
      'no storage',
      [members[0] as { name: string; data: Buffer }],
      'the storage "0" of tensor "a" is missing',
    ],
    [
      'another storage',
      [members[0] as { name: string; data: Buffer }, member('x/data/0', 'short')],
      'where its 4 values need 16',
    ],
  ])('with %s is damaged', async (_, list, message) => {
    const failure = await failureOfZip(...list)
    expect(failure.code).toBe('ERR_MODEL_CORRUPT')
    expect(failure.message).toContain(message)
  })

  it.each([
    ['a compressed pickle', [{ ...member('x/data.pkl', deflateRawSync(good)), method: 8 }], 'compressed'],
    [
      'a compressed storage',
      [...members, { ...member('x/data/1', deflateRawSync(Buffer.alloc(1 << 20))), method: 8 }],
      'compressed',
    ],
    ['another byte order', [...members, member('x/byteorder', 'big')], 'byte order is "big"'],
    ['a program', [...members, member('x/constants.pkl')], 'TorchScript'],
    [
      'a large pickle',
      [member('x/data.pkl', Buffer.alloc((4 << 20) + 1)), ...members.slice(1)],
      'its pickle has 4194305 bytes',
    ],
  ])('with %s is not supported', async (_, list, message) => {
    const failure = await failureOfZip(...list)
    expect(failure.code).toBe('ERR_MODEL_UNSUPPORTED')
    expect(failure.message).toContain(message)
  })

  const bytes = buildZip(members)

  it('cut to any length is refused', async () => {
    for (let length = 0; length < bytes.byteLength; length++)
      expect(await outcomeOf(bytes.subarray(0, length)), `${length}`).toMatch(/^ERR_MODEL_(CORRUPT|FORMAT)$/)
  })

  it('with any bit flipped gives nothing else than a WhisperHipError', async () => {
    for (let bit = 0; bit < 8 * bytes.byteLength; bit++)
      expect(await withFlippedBit(bytes, bit, () => outcomeOf(bytes)), `${bit}`).toMatch(/^ERR_MODEL_/)
  })

  it('is read to the reason of an abort', async () => {
    const reason = new Error('enough')
    const pacer = new Pacer(AbortSignal.abort(reason))
    Object.defineProperty(pacer, 'due', { value: true })
    await expect(readPyTorch(bytesSource(bytes), pacer)).rejects.toBe(reason)
  })
})
