import { describe, expect, it } from 'vitest'
import { chooseTrack, parseMedia, trackWarnings } from '../../../lib/audio/media.ts'

const film = `Input #0, matroska,webm, from 'file:film.mkv':
  Metadata:
    title           : Stream #0:7(eng): Audio: aac
  Duration: 01:02:03.50, start: 0.007000, bitrate: 100 kb/s
  Stream #0:0: Video: h264 (High), yuv420p, 640x360 (default)
  Stream #0:1(eng): Audio: aac (LC), 48000 Hz, 5.1, fltp
  Stream #0:2[0x1100](ger): Audio: aac (LC), 48000 Hz, stereo, fltp (default)
  Stream #0:3(und): Subtitle: subrip
At least one output file must be specified
`

describe('what ffmpeg says of a file', () => {
  it('holds its audio tracks, whatever its metadata says', () => {
    expect(parseMedia(film)).toEqual({
      tracks: [
        { index: 1, language: 'eng', isDefault: false },
        { index: 2, language: 'ger', isDefault: true },
      ],
      hasOthers: true,
      zero: 0,
      end: 3723.5,
    })
  })

  it('holds where time begins', () => {
    const media = (format: string, rest = ', start: 1.400000') =>
      parseMedia(`Input #0, ${format}, from 'x':\n  Duration: 00:00:10.00${rest}, bitrate: 1 kb/s\n`)
    expect(media('mpegts')).toMatchObject({ zero: 1.4, end: 10 })
    expect(media('mov,mp4,m4a,3gp,3g2,mj2')).toMatchObject({ zero: 0, end: 10 })
    expect(media('mp3')).toMatchObject({ zero: undefined, end: undefined })
    expect(parseMedia("Input #0, ogg, from 'x':\n  Duration: N/A, start: 5.0, bitrate: N/A\n")).toMatchObject(
      {
        zero: 0,
        end: undefined,
      },
    )
  })

  it('is nothing where it did not open the file', () => {
    expect(parseMedia('file:x: Invalid data found when processing input')).toBeUndefined()
  })

  it('takes a cover picture for no track', () => {
    const text =
      "Input #0, mp3, from 'x':\n  Stream #0:0: Audio: mp3\n  Stream #0:1: Video: png (attached pic)\n"
    expect(parseMedia(text)?.hasOthers).toBe(false)
  })
})

describe('the track', () => {
  const tracks = parseMedia(film)?.tracks ?? []

  it('is the default, else the first', () => {
    expect(chooseTrack(tracks, undefined)?.index).toBe(2)
    expect(
      chooseTrack(
        tracks.map((track) => ({ ...track, isDefault: false })),
        undefined,
      )?.index,
    ).toBe(1)
    expect(chooseTrack([], undefined)).toBeUndefined()
  })

  it('is named by number or language', () => {
    expect(chooseTrack(tracks, 0)?.index).toBe(1)
    for (const name of ['en', 'eng', 'en-US', 'EN']) expect(chooseTrack(tracks, name)?.index).toBe(1)
    for (const name of ['de', 'deu', 'ger']) expect(chooseTrack(tracks, name)?.index).toBe(2)
  })

  it('that is not there is refused with those that are', () => {
    expect(() => chooseTrack(tracks, 2)).toThrow('Expected an integer from 0 to 1 for track but received 2')
    expect(() => chooseTrack(tracks.slice(0, 1), 1)).toThrow(
      'Expected 0 (there is one audio track) for track',
    )
    expect(() => chooseTrack(tracks, 'fr')).toThrow('Expected one of the tracks 0 (eng), 1 (ger) for track')
  })

  it('of several is told', () => {
    expect(trackWarnings(tracks, tracks[1])).toEqual([
      {
        code: 'AUDIO_TRACKS',
        message:
          'The recording has 2 audio tracks, 0 (eng), 1 (ger): track 1 was taken; the option track takes another',
      },
    ])
    expect(trackWarnings(tracks.slice(0, 1), tracks[0])).toEqual([])
  })
})
