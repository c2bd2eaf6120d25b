import { WhisperHipError } from '../../errors.ts'

/** A file of a repository. */
export interface RepositoryFile {
  path: string
  /** Absent where the hub does not tell. */
  bytes?: number
  /** Hex. Of a large file. */
  sha256?: string
  /** Git's name of a small file: the SHA-1 of its header and its bytes. */
  blob?: string
}

/** Vocabularies and configurations; the rest of a repository is for people and for other libraries. */
export const companionNames: readonly string[] = [
  'config.json',
  'generation_config.json',
  'preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'vocabulary.json',
  'vocabulary.txt',
]

/** Ways to publish weights, best first. Each is the files that belong together, by the paths of a repository. */
const LAYOUTS: readonly ((paths: readonly string[]) => readonly string[])[] = [
  (paths) => exactly(paths, 'model.safetensors'),
  (paths) => sharded(paths, 'model.safetensors.index.json', /^model-\d{5}-of-\d{5}\.safetensors$/),
  (paths) => exactly(paths, 'model.bin'),
  (paths) => exactly(paths, 'pytorch_model.bin'),
  (paths) => sharded(paths, 'pytorch_model.bin.index.json', /^pytorch_model-\d{5}-of-\d{5}\.bin$/),
  (paths) => exactly(paths, 'weights.safetensors'),
  (paths) => only(paths, /^[^/]+\.gguf$/i),
  (paths) => only(paths, /^ggml[^/]*\.bin$/i),
  (paths) => only(paths, /^[^/]+\.pt$/i),
  (paths) => exactly(paths, 'flax_model.msgpack'),
  (paths) => graphs(paths, ''),
  (paths) => graphs(paths, '_fp16'),
]

/**
 * The files of a repository that make a model: its weights in the best of the forms that it has, and what belongs to them.
 *
 * @param named the file that was asked for, or none
 * @throws `ERR_MODEL_NOT_FOUND` when there is no such file; `ERR_MODEL_FORMAT` when there is no model, or there are several, naming them
 */
export function filesOfModel(
  id: string,
  files: readonly RepositoryFile[],
  named: string | undefined,
): RepositoryFile[] {
  const paths = files.map(({ path }) => path)
  if (named !== undefined && !paths.includes(named)) {
    throw new WhisperHipError('ERR_MODEL_NOT_FOUND', `The repository ${id} has no file ${named}`, {
      advice: adviceOf(id, paths),
    })
  }
  const weights = named === undefined ? weightsOf(id, paths) : [named]
  const isWhole = weights.length === 1 && /(^|\/)(ggml[^/]*\.bin|[^/]+\.(gguf|pt))$/i.test(weights[0] ?? '')
  return files.filter(({ path }) => weights.includes(path) || (!isWhole && companionNames.includes(path)))
}

function weightsOf(id: string, paths: readonly string[]): readonly string[] {
  for (const layout of LAYOUTS) {
    const found = layout(paths)
    if (found.length > 0) return found
  }
  const candidates = modelFiles(paths)
  const problem =
    candidates.length > 1
      ? `has ${candidates.length} models, and none that is the one to take`
      : 'has no weights in a form that this version reads'
  throw new WhisperHipError('ERR_MODEL_FORMAT', `The repository ${id} ${problem}`, {
    advice: adviceOf(id, paths),
  })
}

function adviceOf(id: string, paths: readonly string[]): string[] {
  const candidates = modelFiles(paths)
  return candidates.length === 0
    ? ['Name a repository of a Whisper model, such as openai/whisper-base or Systran/faster-whisper-base']
    : candidates.slice(0, 20).map((path) => `Name the file: hf://${id}/${path}`)
}

function modelFiles(paths: readonly string[]): string[] {
  return paths.filter(
    (path) => /\.(bin|gguf|safetensors|pt|msgpack)$/i.test(path) && !/-of-\d{5}\./.test(path),
  )
}

const exactly = (paths: readonly string[], path: string) => (paths.includes(path) ? [path] : [])

/** The one file of a kind: of several nobody can tell which is meant. */
function only(paths: readonly string[], kind: RegExp): string[] {
  const found = paths.filter((path) => kind.test(path))
  return found.length === 1 ? found : []
}

function sharded(paths: readonly string[], index: string, shard: RegExp): string[] {
  return paths.includes(index) ? [index, ...paths.filter((path) => shard.test(path))] : []
}

/** Of exports for browsers and Optimum: an encoder and the decoder for the first token and all others. */
function graphs(paths: readonly string[], variant: string): string[] {
  for (const folder of ['', 'onnx/']) {
    const encoder = `${folder}encoder_model${variant}.onnx`
    const decoder = [`${folder}decoder_model${variant}.onnx`, `${folder}decoder_model_merged${variant}.onnx`]
    const found = decoder.find((path) => paths.includes(path))
    if (paths.includes(encoder) && found !== undefined) {
      const data = paths.filter((path) => path.startsWith(encoder) || path.startsWith(found))
      return [...new Set([encoder, found, ...data])]
    }
  }
  return []
}
