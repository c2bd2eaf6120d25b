/** A word as it is compared: without case, accents of composition, punctuation and white space. A word of marks alone stays as it is. */
export function normalizeWord(text: string): string {
  const plain = text.trim().normalize('NFKC').toLowerCase()
  const bare = plain.replace(/[^\p{L}\p{M}\p{N}]+/gu, '')
  return bare === '' ? plain : bare
}
