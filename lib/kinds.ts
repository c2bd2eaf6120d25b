import { types } from 'node:util'

/**
 * What a value from outside is, whichever realm made it. Test runners and `node:vm` run code with globals of its own, and jsdom replaces
 * some in place: an `instanceof` of a global says there that Node's own errors are none.
 */

/** An error, also one of the DOM, which need not be native. */
export function isError(value: unknown): value is Error {
  return types.isNativeError(value) || Object.prototype.toString.call(value) === '[object DOMException]'
}

/** What went wrong, for messages. */
export function messageOf(error: unknown): string {
  return isError(error) ? error.message : String(error)
}

/** Whether an error is of the built-in class of this name, such as `RangeError`, in whichever realm. */
export function isErrorNamed(error: unknown, name: 'RangeError' | 'TypeError'): error is Error {
  return isError(error) && error.name === name
}

/** A WHATWG URL, by the members that tell it from what `url.parse()` returns: Node's own rule. */
export function isUrl(value: unknown): value is URL {
  if (typeof value !== 'object' || value === null) return false
  const { href, protocol, auth, path } = value as Record<string, unknown>
  return typeof href === 'string' && typeof protocol === 'string' && auth === undefined && path === undefined
}

/** A Blob or File, of Node or of the DOM. */
export function isBlob(value: object): value is Blob {
  const { size, type, slice } = value as Partial<Blob>
  return typeof size === 'number' && typeof type === 'string' && typeof slice === 'function'
}

/** Whether the memory of a view or buffer has been taken away: transferred, or cut off below it. Its length is 0 then. */
export function isDetached(memory: ArrayBufferView | ArrayBufferLike): boolean {
  try {
    // These refuse memory that is gone, where a length says 0. (`ArrayBuffer.detached` is younger than Node 20.)
    if (types.isAnyArrayBuffer(memory)) memory.slice(0, 0)
    else if (types.isDataView(memory)) memory.byteLength
    else (memory as Uint8Array).at(0)
    return false
  } catch {
    return true
  }
}

/** The addon takes views of ordinary memory only: of shared memory a copy is made, which nobody else writes to. */
export function unshared<T extends Uint8Array | Int16Array | Float32Array>(view: T): T {
  // That of all typed arrays: a Buffer's own slice() is no copy.
  return types.isSharedArrayBuffer(view.buffer) ? (Uint8Array.prototype.slice.call(view) as T) : view
}
