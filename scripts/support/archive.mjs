// @ts-check
import { createReadStream } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { Parser } from 'tar'
import yauzl from 'yauzl'

const MAX_CONTENT = 512 * 1024 * 1024

/**
 * Reads chosen regular files of a `.tar.gz`, or of a wheel, into memory. Links, devices and folders are passed over; nothing is
 * written anywhere.
 * @param {string} path
 * @param {(member: string) => boolean} wanted
 * @returns {Promise<Map<string, Buffer>>} by the member's name in the archive; of repeated members the last counts
 */
export function readArchive(path, wanted) {
  return path.endsWith('.whl') ? readZip(path, wanted) : readTar(path, wanted)
}

/** @param {string} path @param {(member: string) => boolean} wanted @returns {Promise<Map<string, Buffer>>} */
async function readZip(path, wanted) {
  /** @type {Map<string, Buffer>} */
  const contents = new Map()
  const zip = await yauzl.openPromise(path)
  let total = 0
  try {
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName.endsWith('/') || !wanted(entry.fileName)) continue
      total += entry.uncompressedSize
      if (total > MAX_CONTENT) throw new Error(`it unpacks to more than ${MAX_CONTENT} bytes`)
      const stream = await zip.openReadStreamPromise(entry)
      contents.set(entry.fileName, await buffer(stream))
    }
  } finally {
    zip.close()
  }
  return contents
}

/** @param {string} path @param {(member: string) => boolean} wanted @returns {Promise<Map<string, Buffer>>} */
function readTar(path, wanted) {
  return new Promise((resolve, reject) => {
    /** @type {Map<string, Buffer>} */
    const contents = new Map()
    let total = 0
    const input = createReadStream(path)
    /** @param {unknown} error */
    const fail = (error) => {
      input.destroy()
      reject(error)
    }
    const parser = new Parser({
      strict: true,
      onReadEntry(entry) {
        total += entry.size
        if (total > MAX_CONTENT) return fail(new Error(`it unpacks to more than ${MAX_CONTENT} bytes`))
        if (entry.type !== 'File' || !wanted(entry.path)) return void entry.resume()
        /** @type {Buffer[]} */
        const chunks = []
        entry.on('data', (chunk) => chunks.push(chunk))
        entry.on('end', () => contents.set(entry.path, Buffer.concat(chunks)))
      },
    })
    parser.on('error', fail)
    parser.on('end', () => resolve(contents))
    input.on('error', fail)
    input.on('data', (chunk) => void parser.write(/** @type {Buffer} */ (chunk)))
    input.on('end', () => parser.end())
  })
}
