import { TextDecoder } from 'node:util'

const ascii = /^[\t\n\r\f\x20-\x7e]+$/

/** So many bytes of ASCII at the start make a file text, whatever follows: play lists are longer, and binary signatures shorter. */
const enough = 16

/**
 * Tells text by its first bytes.
 * @returns "an HTML page" or "a text file that begins with …", or `undefined` for binary data
 */
export function describeText(head: Uint8Array): string | undefined {
  const encoding = ascii.test(Buffer.from(head.subarray(0, enough)).toString('latin1'))
    ? 'utf-8'
    : encodingOf(head)
  if (encoding === undefined) return undefined
  const text = new TextDecoder(encoding).decode(head).trim()
  if (/^<(!doctype html|html|head|body)/i.test(text)) return 'an HTML page'
  return text === ''
    ? 'a blank text file'
    : `a text file that begins with ${JSON.stringify(text.slice(0, 40))}`
}

function encodingOf(head: Uint8Array): string | undefined {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le'
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be'
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    return text.length >= 4 && !/\p{Cc}/u.test(text.replace(/[\t\n\r\f]/g, '')) ? 'utf-8' : undefined
  } catch {
    return undefined
  }
}
