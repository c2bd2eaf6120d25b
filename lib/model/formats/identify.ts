import type { WhisperHipError } from '../../errors.ts'
import { corrupt, notAModel, unsupported } from '../failures.ts'
import type { ByteSource } from '../source.ts'

/** How much of a file decides what it is. */
const HEAD = 4096

const GGML_SIGNATURE = signature(0, 'lmgg')
const GGUF_SIGNATURE = signature(0, 'GGUF')
const CTRANSLATE2_SIGNATURE = signature(4, '\x0c\0WhisperSpec\0')
const SIGNATURES = [GGML_SIGNATURE, GGUF_SIGNATURE, CTRANSLATE2_SIGNATURE]

/** What {@link identify} tells apart. `shards` is the index of a checkpoint in several files. */
export type FileFormat =
  | 'ggml'
  | 'gguf'
  | 'ctranslate2'
  | 'safetensors'
  | 'pytorch'
  | 'shards'
  | 'onnx'
  | 'flax'

/**
 * Tells the format of a file from its first bytes, never from its name.
 * @throws WhisperHipError `ERR_MODEL_UNSUPPORTED` for a known format of models that this version does not read,
 *   `ERR_MODEL_CORRUPT` for a damaged signature, `ERR_MODEL_FORMAT` for all else, saying what it is
 */
export async function identify(source: ByteSource): Promise<FileFormat> {
  const head = await source.read(0, Math.min(HEAD, source.size))
  if (isVoiceActivityModel(head)) throw notAModel(source.name, 'a Silero voice activity model')
  if (startsWith(head, GGML_SIGNATURE)) return 'ggml'
  if (startsWith(head, GGUF_SIGNATURE)) return 'gguf'
  if (startsWith(head, CTRANSLATE2_SIGNATURE)) return 'ctranslate2'
  if (isSafetensors(head)) return 'safetensors'
  if (isTorchArchive(head)) return 'pytorch'
  if (isShardIndex(head)) return 'shards'
  if (isFlax(head)) return 'flax'
  if (isOnnx(head)) return 'onnx'
  throw refusal(source, head)
}

/** A map of MessagePack with a few members, the first of which is the root of Whisper's weights in Flax. */
function isFlax([code = 0, name = 0, ...rest]: Uint8Array): boolean {
  if (code < 0x81 || code > 0x8f || (name & 0xe0) !== 0xa0) return false
  const key = Buffer.from(rest.slice(0, name & 0x1f)).toString('latin1')
  return ['model', 'params', 'encoder', 'decoder', 'lm_head', 'proj_out'].includes(key)
}

/** The version of the format, and the field after it: name of the producer, its version, a domain, text, the graph or the operators. */
function isOnnx([tag, version = 0, next = 0]: Uint8Array): boolean {
  return tag === 0x08 && version >= 3 && version < 32 && [0x12, 0x1a, 0x22, 0x32, 0x3a, 0x42].includes(next)
}

interface Signature {
  offset: number
  bytes: Uint8Array
}

function signature(offset: number, text: string): Signature {
  return { offset, bytes: Uint8Array.from(text, (character) => character.charCodeAt(0)) }
}

function startsWith(head: Uint8Array, { offset, bytes }: Signature): boolean {
  return head.length >= offset + bytes.length && bytes.every((byte, i) => head[offset + i] === byte)
}

/** Silero's file has the magic of ggml too, then the length of its name. */
function isVoiceActivityModel(head: Uint8Array): boolean {
  return startsWith(head, GGML_SIGNATURE) && startsWith(head, signature(4, '\x0a\0\0\0silero'))
}

function refusal(source: ByteSource, head: Uint8Array): WhisperHipError {
  const { name, size } = source
  if (size === 0) return notAModel(name, 'empty')
  return (
    otherModelFormat(name, head) ??
    otherBinaryFormat(name, head) ??
    damagedSignature(name, head) ??
    (isText(head) ? textRefusal(name, head) : notAModel(name, `something else: it starts with ${hex(head)}`))
  )
}

const CONVERT = [
  'Use a ggml file or a CTranslate2 folder of the same model, or convert it with ct2-transformers-converter --quantization float16',
]

function otherModelFormat(name: string, head: Uint8Array): WhisperHipError | undefined {
  if (isPickle(head)) {
    return unsupported(
      name,
      'it is a pickled PyTorch file in the form before version 1.6, which is not a zip archive',
      ["Save it again with a newer PyTorch: torch.save(torch.load(file, map_location='cpu'), file)"],
    )
  }
  const format = modelFormatOf(head)
  if (format === undefined) return undefined
  return unsupported(name, `it is a ${format} file, a format that this version does not support yet`, CONVERT)
}

function modelFormatOf(head: Uint8Array): string | undefined {
  return ctranslate2Spec(head)
}

function isSafetensors(head: Uint8Array): boolean {
  if (head.length < 9 || head[8] !== 0x7b) return false
  const length = Buffer.from(head.subarray(0, 8)).readBigUInt64LE()
  return length >= 2n && length <= 100_000_000n
}

/** A zip archive as `torch.save` writes it; its first member is the pickle, in a folder of any name. */
function isTorchArchive(head: Uint8Array): boolean {
  return startsWith(head, signature(0, 'PK\x03\x04')) && Buffer.from(head).includes('/data.pkl')
}

/** A zip archive whose first member, the name of which begins at byte 30, is an array. */
function isNumpyArchive(head: Uint8Array): boolean {
  const length = (head[26] ?? 0) | ((head[27] ?? 0) << 8)
  const name = Buffer.from(head.subarray(30, 30 + length)).toString('latin1')
  return startsWith(head, signature(0, 'PK\x03\x04')) && name.endsWith('.npy')
}

/** A pickle of protocol 2 to 5 that starts with a mark, a dictionary, a global or PyTorch's magic number. */
function isPickle(head: Uint8Array): boolean {
  const [first, protocol = 0, operation = 0] = head
  if (first !== 0x80 || protocol < 2 || protocol > 5) return false
  return [0x28, 0x7d, 0x63, 0x8a, 0x95].includes(operation)
}

/** The `model.safetensors.index.json` or `pytorch_model.bin.index.json` of a checkpoint in several files. */
function isShardIndex(head: Uint8Array): boolean {
  return isText(head) && /^\s*\{/.test(textOf(head)) && textOf(head).includes('"weight_map"')
}

function textOf(head: Uint8Array): string {
  return Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1')
}

/** The name of another kind of model in CTranslate2's container, e.g. `TransformerSpec`. */
function ctranslate2Spec(head: Uint8Array): string | undefined {
  const length = (head[4] ?? 0) | ((head[5] ?? 0) << 8)
  if (length < 6 || length > 64) return undefined
  const text = Buffer.from(head.subarray(6, 6 + length)).toString('latin1')
  const known = /^(Transformer|Wav2Vec2|WavLM|Moonshine)\w*Spec\0$/.test(text)
  return known ? `CTranslate2 ${text.slice(0, -1)}` : undefined
}

const OTHER_FORMATS: readonly [found: string, Signature, advice?: string][] = [
  [
    'a file of TensorFlow or Keras (HDF5)',
    signature(0, '\x89HDF\r\n\x1a\n'),
    'Load it with the library that wrote it, and save it with transformers as safetensors',
  ],
  ['a TensorFlow Lite model', signature(4, 'TFL3'), 'Use the checkpoint that it was made of'],
  ['a zip archive', signature(0, 'PK\x03\x04'), 'Unpack it first'],
  ['compressed with gzip', signature(0, '\x1f\x8b'), 'Unpack it first'],
  ['compressed with xz', signature(0, '\xfd7zXZ'), 'Unpack it first'],
  ['compressed with zstd', signature(0, '\x28\xb5\x2f\xfd'), 'Unpack it first'],
  ['compressed with bzip2', signature(0, 'BZh'), 'Unpack it first'],
  ['a 7z archive', signature(0, '7z\xbc\xaf'), 'Unpack it first'],
  ['a RIFF (wav) audio file', signature(0, 'RIFF'), 'Pass audio as the first argument of transcribe'],
  ['a FLAC audio file', signature(0, 'fLaC'), 'Pass audio as the first argument of transcribe'],
  ['an Ogg audio file', signature(0, 'OggS'), 'Pass audio as the first argument of transcribe'],
  ['an MP3 audio file', signature(0, 'ID3'), 'Pass audio as the first argument of transcribe'],
  ['a Git LFS pointer, not the file itself', signature(0, 'version https://git-lfs'), 'Run git lfs pull'],
]

function otherBinaryFormat(name: string, head: Uint8Array): WhisperHipError | undefined {
  if (head.every((byte) => byte === 0)) {
    return notAModel(name, 'all zero bytes', ['Fetch it again: the download was reserved, but not written'])
  }
  if (isNumpyArchive(head)) {
    return notAModel(name, 'an archive of NumPy arrays (npz), as MLX writes it', [
      "Save it as safetensors: mx.save_safetensors('weights.safetensors', mx.load('weights.npz'))",
    ])
  }
  const other = OTHER_FORMATS.find(([, start]) => startsWith(head, start))
  return other && notAModel(name, other[0], other[2] ? [other[2]] : [])
}

/** A file that ends inside a signature, or whose signature has up to two wrong bits. */
function damagedSignature(name: string, head: Uint8Array): WhisperHipError | undefined {
  for (const { offset, bytes } of SIGNATURES) {
    const present = head.subarray(offset, offset + bytes.length)
    const wrong = present.reduce((bits, byte, i) => bits + bitsOf(byte ^ (bytes[i] as number)), 0)
    if (present.length === 0 || wrong > 2) continue
    if (present.length < bytes.length && wrong === 0) {
      return corrupt(name, `it ends at byte ${head.length}, inside the signature of its format`)
    }
    if (present.length === bytes.length) {
      return corrupt(name, `its signature is ${hex(present)}, where ${hex(bytes)} is needed`)
    }
  }
  return undefined
}

function bitsOf(byte: number): number {
  let bits = 0
  for (let rest = byte; rest > 0; rest >>= 1) bits += rest & 1
  return bits
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, 14), (byte) => byte.toString(16).padStart(2, '0')).join(' ')
}

function isText(head: Uint8Array): boolean {
  return head.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d)) && !head.includes(0x7f)
}

function textRefusal(name: string, head: Uint8Array): WhisperHipError {
  const start = Buffer.from(head.subarray(0, 256)).toString('utf8').trimStart()
  if (/^\ufeff?<(!doctype html|html|head|body)/i.test(start)) {
    return notAModel(name, 'an HTML page', ['Fetch it again: the server sent a page in place of the file'])
  }
  if (start.startsWith('<?xml') && start.includes('<net ')) {
    return notAModel(name, 'the graph of an OpenVINO model', ['Use the checkpoint that it was made of'])
  }
  return notAModel(name, /^[[{]/.test(start) ? 'a JSON text' : 'a text')
}
