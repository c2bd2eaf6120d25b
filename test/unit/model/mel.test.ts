import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { melFilterBank, SPECTRUM_BINS } from '../../../lib/model/mel.ts'

/** sha256 of the arrays `mel_80` and `mel_128` of OpenAI's mel_filters.npz (one negative zero in each made positive). */
const PUBLISHED = {
  80: '85818f156f7e189453901a515e4726d270d307f976e161cf9403e8caab405498',
  128: 'e399c2d72d2f7375e503c296d8453cefcc0c1e47a9c1a0a09e0d70f59c820f20',
}

describe('the mel filter bank', () => {
  it.each([80, 128] as const)('with %d bins equals the published table in every bit', (bins) => {
    const filters = melFilterBank(bins)
    expect(filters.length).toBe(bins * SPECTRUM_BINS)
    expect(createHash('sha256').update(new Uint8Array(filters.buffer)).digest('hex')).toBe(PUBLISHED[bins])
  })

  it.each([80, 128])('with %d bins has triangles in order: no gap, no negative weight', (bins) => {
    const filters = melFilterBank(bins)
    const rows = Array.from({ length: bins }, (_, bin) =>
      filters.subarray(bin * SPECTRUM_BINS, (bin + 1) * SPECTRUM_BINS),
    )
    const peaks = rows.map((row) => row.indexOf(Math.max(...row)))
    expect(peaks).toEqual(peaks.toSorted((a, b) => a - b))
    expect(filters.every((weight) => weight >= 0)).toBe(true)
    expect(rows.every((row) => row.some((weight) => weight > 0))).toBe(true)
    // Neither the constant part nor the highest frequency of the spectrum counts.
    expect(rows.every((row) => row[0] === 0 && row.at(-1) === 0)).toBe(true)
  })
})
