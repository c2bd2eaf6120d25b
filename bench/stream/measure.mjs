// @ts-check
/** @typedef {import('./feed.mjs').Timed} Timed */

/**
 * What a listener would say of a live transcription. Delays are in seconds after the word, or the speech, had ended.
 * @param {readonly Timed[]} events
 */
export function measure(events) {
  const commitDelays = []
  const finalDelays = []
  const lags = []
  let firstPartial = Number.NaN
  let retracted = 0
  let speechStart = 0
  let speechEnd = 0
  let committed = { utterance: -1, text: '', words: 0 }
  /** @type {string[]} */
  const texts = []
  for (const { time, event } of events) {
    if (event.type === 'speech-start') speechStart = event.time
    if (event.type === 'speech-end') speechEnd = event.time
    if (event.type === 'stats') lags.push(event.lag)
    if (event.type === 'partial') {
      if (Number.isNaN(firstPartial)) firstPartial = time - speechStart
      if (event.utterance !== committed.utterance)
        committed = { utterance: event.utterance, text: '', words: 0 }
      if (!event.committed.startsWith(committed.text)) retracted++
      for (const word of event.words.slice(committed.words, event.committedWords))
        commitDelays.push(time - word.end)
      committed = { utterance: event.utterance, text: event.committed, words: event.committedWords }
    }
    if (event.type === 'final') {
      const before = event.utterance === committed.utterance ? committed : { text: '', words: 0 }
      if (!event.text.startsWith(before.text)) retracted++
      for (const word of event.words.slice(before.words)) commitDelays.push(time - word.end)
      if (event.reason === 'silence') finalDelays.push(time - speechEnd)
      texts.push(event.text)
    }
  }
  const stats = events.map(({ event }) => event).findLast((event) => event.type === 'stats')
  return {
    text: texts.join(' '),
    firstPartial,
    commitDelays,
    finalDelays,
    lags,
    retracted,
    realTimeFactor: stats?.realTimeFactor ?? Number.NaN,
  }
}

/** @param {readonly number[]} values @param {number} share 0..1 */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
