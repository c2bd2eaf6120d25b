import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { parsePacket, Timeline } from './timeline.ts'

/** Frames of silence that are made at once. */
const pieceFrames = 16_000

/**
 * The samples that ffmpeg writes, with silence where their times leave something out.
 * @param packets ffmpeg's `framecrc` of the same samples
 * @param zero the time stamp at which the recording begins, in frames at 16 kHz
 */
export async function* timedSamples(
  samples: Readable,
  packets: Readable,
  zero: number,
): AsyncGenerator<Buffer> {
  const timeline = new Timeline()
  let frameBytes = 2
  for await (const line of createInterface({ input: packets })) {
    const packet = parsePacket(line)
    if (packet === undefined) continue
    frameBytes = packet.bytes / packet.frames
    let silence = timeline.add(packet.time - zero, packet.frames)
    for (; silence > 0; silence -= pieceFrames)
      yield Buffer.alloc(frameBytes * Math.min(silence, pieceFrames))
    const bytes = await readExactly(samples, packet.bytes)
    if (bytes !== undefined) yield bytes
  }
  for await (const rest of samples) yield rest as Buffer
}

/** Resolves when there is more to read, or nothing any more. */
function moved(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ['readable', 'end', 'close', 'error']) stream.off(event, done)
      resolve()
    }
    for (const event of ['readable', 'end', 'close', 'error']) stream.on(event, done)
  })
}

/** Fewer bytes only at the end, and `undefined` after it. */
async function readExactly(stream: Readable, count: number): Promise<Buffer | undefined> {
  for (;;) {
    const bytes = stream.read(count) as Buffer | null
    if (bytes !== null) return bytes
    if (stream.readableEnded || stream.destroyed) return undefined
    await moved(stream)
  }
}
