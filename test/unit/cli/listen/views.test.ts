import { expect, it } from 'vitest'
import { jsonView, plainView } from '../../../../lib/cli/listen/views.ts'
import type { StreamEvent } from '../../../../lib/stream/types.ts'
import { final, partial } from './events.ts'

const stats: StreamEvent = {
  type: 'stats',
  lag: 0.5,
  realTimeFactor: 4,
  bufferedSeconds: 3,
  gpuNodes: 0,
  cpuNodes: 9,
}
const events: StreamEvent[] = [
  { type: 'speech-start', time: 0.5 },
  partial('ask', ' not'),
  stats,
  { type: 'speech-end', time: 2 },
  final(' Ask not.\n'),
  final('', { utterance: 1, words: [] }),
  final('\x1b[2JEvil\r\nlines', { utterance: 2 }),
]

it('plain text is a line for each utterance in which something was said', () => {
  expect(events.map(plainView.show).join('')).toBe('Ask not.\nEvil lines\n')
})

it('JSON is a line for each event, with those about speed only when they are wanted', () => {
  const lines = (stats: boolean) => events.map(jsonView(stats).show).join('').trimEnd().split('\n')
  expect(lines(true).map((line) => JSON.parse(line))).toEqual(events)
  expect(lines(false).map((line) => JSON.parse(line))).toEqual(events.filter((event) => event !== stats))
})
