/** Repositories of the Hugging Face hub, as users name them. */

export interface Repository {
  /** `owner/name`. */
  id: string
  /** A branch, a tag or a commit. */
  revision: string
  /** One file of it, where one was named. */
  file: string | undefined
}

const PART = '[A-Za-z0-9][A-Za-z0-9._-]{0,95}'
const ID = new RegExp(`^(${PART}/${PART})(?:@([A-Za-z0-9][A-Za-z0-9._-]{0,99}))?$`)
const SCHEME = new RegExp(`^hf://(${PART}/${PART})(?:@([A-Za-z0-9][A-Za-z0-9._-]{0,99}))?(?:/(.*))?$`)
/** A page of the hub in a browser. */
const PAGE = new RegExp(
  `^(?:https?://)?(?:www\\.)?(?:huggingface\\.co|hf\\.co)/(${PART}/${PART})(?:/(?:tree|blob)/([^/?#]+))?(?:/([^?#]*))?/?(?:[?#].*)?$`,
)
const FILE = /^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/
/** With such an end a text is the path of a file, not the name of a repository. */
const MODEL_FILE = /\.(bin|ckpt|ggml|gguf|json|msgpack|npz|onnx|pt|pth|safetensors|zip)$/i

/**
 * The repository that a text names: `owner/name`, `hf://owner/name`, both with `@revision`, the latter with `/file` at its end, or the
 * address of its page. `undefined` for all else, also for the address of a file (`…/resolve/…`), which is a download like any other.
 */
export function asRepository(text: string): Repository | undefined {
  const page = PAGE.exec(text)
  if (page !== null && !/^(resolve|raw)\//.test(page[3] ?? '')) return repositoryOf(page)
  const scheme = SCHEME.exec(text)
  if (scheme !== null) return repositoryOf(scheme)
  const id = ID.exec(text)
  return id !== null && !MODEL_FILE.test(text) ? repositoryOf(id) : undefined
}

function repositoryOf([, id = '', revision, file]: RegExpExecArray): Repository | undefined {
  const named = file === undefined || file === '' ? undefined : file
  if (named !== undefined && !isFileName(named)) return undefined
  return { id, revision: revision ?? 'main', file: named }
}

/** Whether a path of a repository is a harmless one on a disk. */
export function isFileName(path: string): boolean {
  return path.length <= 300 && FILE.test(path)
}
