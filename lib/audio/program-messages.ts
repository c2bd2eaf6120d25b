import type { Readable } from 'node:stream'
import { Tail } from '../tail.ts'

const mostBytes = 4096

/** The end of what a stream says. */
export async function readTail(stderr: Readable, most = mostBytes): Promise<string> {
  const tail = new Tail(most)
  for await (const chunk of stderr) tail.push(chunk as Buffer)
  return tail.text()
}

/**
 * What ffmpeg says although nothing is wrong with the recording: of times, which raw samples do not have, and of a camera that wants
 * another transport, which ffmpeg then takes.
 */
const harmless = /^.*(non monotonically increasing dts|method SETUP failed: 461 Unsupported transport).*$/gim

/** What ffmpeg says, without what is harmless. */
export function complaints(messages: string): string {
  return messages.replace(harmless, '')
}

/** The last lines of what a program said as one, without addresses and control characters. */
export function lastLines(messages: string): string {
  const lines = messages
    .slice(-mostBytes)
    .split('\n')
    .map((line) =>
      line
        .replace(/ @ 0x[\da-f]+/g, '')
        .replace(/\p{Cc}/gu, '')
        .trim(),
    )
  return lines
    .filter((line) => line !== '')
    .slice(-4)
    .join('; ')
}
