/** Bins of the power spectrum: 1 + 400 / 2. */
export const SPECTRUM_BINS = 201

const NYQUIST = 8000
const LINEAR_STEP = 200 / 3
const LOG_START_HZ = 1000
const LOG_START_MEL = LOG_START_HZ / LINEAR_STEP
const LOG_STEP = Math.log(6.4) / 27

function melOf(hertz: number): number {
  return hertz < LOG_START_HZ
    ? hertz / LINEAR_STEP
    : LOG_START_MEL + Math.log(hertz / LOG_START_HZ) / LOG_STEP
}

function hertzOf(mel: number): number {
  return mel < LOG_START_MEL ? mel * LINEAR_STEP : LOG_START_HZ * Math.exp(LOG_STEP * (mel - LOG_START_MEL))
}

/**
 * The mel filter bank that Whisper was trained with: Slaney's scale and area normalisation, 0 to 8000 Hz, for a
 * 400-point transform at 16 kHz (librosa's `filters.mel(sr=16000, n_fft=400)`).
 *
 * The weights are rounded to f32 before they are normalised, as in librosa; only then do all values equal the published tables.
 *
 * @param bins 80, or 128 for large-v3 and its descendants
 * @returns [bins, 201] row-major
 */
export function melFilterBank(bins: number): Float32Array {
  const top = melOf(NYQUIST)
  const edges = Array.from({ length: bins + 2 }, (_, i) => hertzOf((top * i) / (bins + 1)))
  const filters = new Float32Array(bins * SPECTRUM_BINS)
  for (let bin = 0; bin < bins; bin++) {
    const [low, centre, high] = edges.slice(bin, bin + 3) as [number, number, number]
    const scale = 2 / (high - low)
    for (let k = 0; k < SPECTRUM_BINS; k++) {
      const frequency = (NYQUIST * k) / (SPECTRUM_BINS - 1)
      const rising = (frequency - low) / (centre - low)
      const falling = (high - frequency) / (high - centre)
      filters[bin * SPECTRUM_BINS + k] = Math.fround(Math.max(0, Math.min(rising, falling))) * scale
    }
  }
  return filters
}
