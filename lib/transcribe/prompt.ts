import type { Warning } from '../warnings.ts'

/** Tokens that a prompt may have: half of the text context, without the token that announces it. */
export const PROMPT_TOKENS = 223
/** A word of which the prompt has only the end says nothing, unless it is the text of a language without spaces. */
const LONGEST_REST = 8
/** Characters of a text that a message quotes. */
const QUOTED = 40

type Tokenize = (text: string) => number[]

/** What is put before the text, as tokens, and what of it was left out. */
export interface Prompt {
  hotwords: number[]
  initialPrompt: number[]
  warnings: Warning[]
}

/**
 * Fits words and a prompt into the room that the model has: the first words, as many as fit, and then the end of the prompt.
 */
export function composePrompt(hotwords: string, initialPrompt: string, tokenize: Tokenize): Prompt {
  const words = firstWords(hotwords, tokenize)
  const prompt = endOf(initialPrompt, PROMPT_TOKENS - words.tokens.length, tokenize)
  return {
    hotwords: words.tokens,
    initialPrompt: prompt.tokens,
    warnings: [...words.warnings, ...prompt.warnings],
  }
}

function firstWords(text: string, tokenize: Tokenize): { tokens: number[]; warnings: Warning[] } {
  const all = tokenize(text)
  if (all.length <= PROMPT_TOKENS) return { tokens: all, warnings: [] }
  const words = wordsOf(text)
  const tokens: number[] = []
  for (const [i, word] of words.entries()) {
    const more = tokenize(word)
    if (tokens.length + more.length <= PROMPT_TOKENS) {
      tokens.push(...more)
      continue
    }
    const left = words.length - i
    const message =
      `hotwords has ${all.length} tokens, and the model takes ${PROMPT_TOKENS}: ` +
      `${left === 1 ? 'the last word is' : `the last ${left} words are`} left out, from ${quoted(word)} on`
    return { tokens, warnings: [{ code: 'HOTWORDS_CUT', message }] }
  }
  return { tokens, warnings: [] }
}

function endOf(text: string, room: number, tokenize: Tokenize): { tokens: number[]; warnings: Warning[] } {
  const all = tokenize(text)
  if (all.length <= room) return { tokens: all, warnings: [] }
  // From the end: the tokens of the words that fit.
  const words = wordsOf(text)
  let count = 0
  let first = words.length
  for (; first > 0; first--) {
    const more = tokenize(words[first - 1] as string).length
    if (count + more > room) break
    count += more
  }
  // A long text without spaces is cut between tokens.
  const kept = room - count > LONGEST_REST ? room : count
  const beside = room < PROMPT_TOKENS ? ' beside the hotwords' : ''
  const next = words[first]
  const what =
    kept === 0
      ? 'all of it is left out'
      : next === undefined || kept > count
        ? `the first ${all.length - kept} tokens are left out`
        : `its beginning, before ${quoted(words.slice(first, first + 6).join(''))}, is left out`
  const message = `initialPrompt has ${all.length} tokens, and the model takes ${room}${beside}: ${what}`
  return {
    tokens: kept === 0 ? [] : all.slice(-kept),
    warnings: [{ code: 'PROMPT_CUT', message }],
  }
}

/** Each with the white space before it: their tokens, one after the other, are those of the text. */
const wordsOf = (text: string): string[] => text.match(/\s*\S+/g) ?? []

function quoted(text: string): string {
  const characters = [...text.trim()]
  const short = characters.length > QUOTED ? `${characters.slice(0, QUOTED).join('')}…` : characters.join('')
  return JSON.stringify(short)
}
