// @ts-check

const SAMPLE_RATE = 16_000
const HEADER = 44

/**
 * Joins recordings of 16 kHz mono 16-bit wav into one, with pauses of 0.4 to 0.9 s of silence between them. The lengths of
 * the pauses depend on nothing but their position: the same clips give the same bytes.
 * @param {Buffer[]} clips whole wav files
 * @returns {Buffer} a whole wav file
 */
export function joinWav(clips) {
  const parts = clips.flatMap((clip, i) => (i === 0 ? [samplesOf(clip)] : [pause(i), samplesOf(clip)]))
  const samples = Buffer.concat(parts)
  const header = Buffer.alloc(HEADER)
  header.write('RIFF', 0)
  header.writeUInt32LE(HEADER - 8 + samples.length, 4)
  header.write('WAVEfmt ', 8)
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(1, 20)
  header.writeUInt16LE(1, 22)
  header.writeUInt32LE(SAMPLE_RATE, 24)
  header.writeUInt32LE(2 * SAMPLE_RATE, 28)
  header.writeUInt16LE(2, 32)
  header.writeUInt16LE(16, 34)
  header.write('data', 36)
  header.writeUInt32LE(samples.length, 40)
  return Buffer.concat([header, samples])
}

/** @param {number} position */
function pause(position) {
  const seconds = 0.4 + ((position * 7) % 11) * 0.05
  return Buffer.alloc(2 * Math.round(seconds * SAMPLE_RATE))
}

/** @param {Buffer} wav */
function samplesOf(wav) {
  const format = chunk(wav, 'fmt ')
  const [encoding, channels, bits] = [0, 2, 14].map((offset) => format.readUInt16LE(offset))
  if (encoding !== 1 || channels !== 1 || bits !== 16 || format.readUInt32LE(4) !== SAMPLE_RATE)
    throw new TypeError('Only wav files of 16 kHz, mono, 16 bits can be joined')
  return chunk(wav, 'data')
}

/** @param {Buffer} wav @param {string} name */
function chunk(wav, name) {
  for (let at = 12; at + 8 <= wav.length; ) {
    const length = wav.readUInt32LE(at + 4)
    if (wav.toString('latin1', at, at + 4) === name) return wav.subarray(at + 8, at + 8 + length)
    at += 8 + length + (length % 2)
  }
  throw new TypeError(`The wav file has no chunk '${name}'`)
}
