// @ts-check
/** Prompts of a telephone exchange, each sentence once, in pieces of up to 28 s: clear English of one speaker. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { filesOf } from '../../scripts/support/package-clients.mjs'
import { BuildError } from '../../scripts/support/script.mjs'
import { sha256 } from '../../scripts/vendor.mjs'
import { pcmOf } from './recordings.mjs'

/** Debian's asterisk-core-sounds 1.6.1. */
const TEXTS = /** @type {const} */ ({
  type: 'deb',
  package: 'asterisk-core-sounds-en',
  root: 'usr/share/doc/asterisk-core-sounds-en',
})
const SOUNDS = /** @type {const} */ ({
  type: 'deb',
  package: 'asterisk-core-sounds-en-g722',
  root: 'usr/share/asterisk/sounds/en_US_f_Allison',
})
const SHA256 = '16458599d58f1ec6dc3039e5215ab0ace6f0c5a16edb63925ef66538886975ff'

const BYTES_PER_SECOND = 32_000
const PAUSE = Buffer.alloc(BYTES_PER_SECOND / 2)
const LONGEST_PIECE = 28 * BYTES_PER_SECOND
/** Shorter ones are names and numbers. */
const LEAST_WORDS = 4

/** @typedef {{ pcm: Buffer, text: string }} Piece 16-bit samples of 16 kHz, and what is said */

/** @param {(text: string) => string[]} wordsOf @returns {Promise<Piece[]>} */
export async function prompts(wordsOf) {
  const folder = await mkdtemp(join(tmpdir(), 'whisper-hip-prompts-'))
  try {
    const sentences = distinct(await textsOf(folder), wordsOf)
    const pieces = joined(sentences, await soundsOf(sentences, folder))
    const digest = sha256(Buffer.concat(pieces.flatMap(({ pcm, text }) => [Buffer.from(text), pcm])))
    if (digest !== SHA256) throw new BuildError(`The sha256 of the prompts is ${digest} instead of ${SHA256}`)
    return pieces
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** @typedef {{ id: string, text: string }} Sentence */

/** Lines of "id: what is said", as the package has them. @param {string} folder */
async function textsOf(folder) {
  const scratch = join(folder, 'texts')
  await mkdir(scratch)
  const [bytes] = await filesOf(TEXTS, ['core-sounds-en.txt.gz'], scratch)
  return gunzipSync(/** @type {Buffer} */ (bytes)).toString('utf8')
}

/**
 * Whisper leaves out what it hears twice in a row; brackets describe tones.
 * @param {string} lines @param {(text: string) => string[]} wordsOf
 * @returns {Sentence[]}
 */
function distinct(lines, wordsOf) {
  const seen = new Set()
  return [...lines.matchAll(/^([\w/-]+): ([^[\]\n]*)$/gm)].flatMap(([, id = '', text = '']) => {
    const words = wordsOf(text)
    const key = words.join(' ')
    if (words.length < LEAST_WORDS || seen.has(key)) return []
    seen.add(key)
    return [{ id, text }]
  })
}

/** @param {readonly Sentence[]} sentences @param {string} folder */
async function soundsOf(sentences, folder) {
  const scratch = join(folder, 'sounds')
  await mkdir(scratch)
  const files = sentences.map(({ id }) => `${id}.g722`)
  const clip = join(folder, 'clip.g722')
  const sounds = []
  for (const bytes of await filesOf(SOUNDS, files, scratch)) {
    await writeFile(clip, bytes)
    sounds.push(await pcmOf(clip))
  }
  return sounds
}

/** @param {readonly Sentence[]} sentences @param {readonly Buffer[]} sounds */
function joined(sentences, sounds) {
  /** @type {Piece[]} */
  const pieces = []
  for (const [i, { text }] of sentences.entries()) {
    const sound = Buffer.concat([/** @type {Buffer} */ (sounds[i]), PAUSE])
    const last = pieces.at(-1)
    if (last === undefined || last.pcm.byteLength + sound.byteLength > LONGEST_PIECE) {
      pieces.push({ pcm: sound, text })
    } else {
      last.pcm = Buffer.concat([last.pcm, sound])
      last.text += ` ${text}`
    }
  }
  return pieces
}
