import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { id3Length } from '../../../lib/audio/mp3.ts'
import { sniff } from '../../../lib/audio/sniff.ts'

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))
const padded = (text: string) => bytes(text.padEnd(200, '\0'))

/** A WAV header with the given format tag, after other chunks if any. */
function wav(tag: number, before = '', subFormat?: number): Uint8Array {
  const format = subFormat === undefined ? '\x10\0\0\0' : '\x28\0\0\0'
  const tagBytes = String.fromCharCode(tag & 255, tag >> 8)
  const extension = subFormat === undefined ? '' : `${'\0'.repeat(22)}${String.fromCharCode(subFormat, 0)}`
  return padded(`RIFF\0\0\0\0WAVE${before}fmt ${format}${tagBytes}${extension}`)
}

/** MPEG-1 layer III at 128 kbit/s and 44.1 kHz: frames of 417 bytes. */
function mp3Frames(count: number, length = 417): Uint8Array {
  const file = new Uint8Array(count * length)
  for (let i = 0; i < count; i++) file.set([0xff, 0xfb, 0x90, 0x00], i * length)
  return file
}

describe('sniff', () => {
  it.each([
    ['RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0', 'native', 'a WAV file'],
    ['RF64\xff\xff\xff\xffWAVE', 'native', 'a WAV file'],
    ['BW64\xff\xff\xff\xffWAVE', 'ffmpeg', 'a BW64 file'],
    ['fLaC\0\0\0\x22', 'native', 'a FLAC file'],
    [`OggS\0\x02${'\0'.repeat(22)}\x01vorbis`, 'native', 'an Ogg Vorbis file'],
    [`OggS\0\x02${'\0'.repeat(22)}OpusHead`, 'ffmpeg', 'an Ogg Opus file'],
    [`OggS\0\x02${'\0'.repeat(22)}\x7fFLAC`, 'ffmpeg', 'an Ogg file, but not of Vorbis'],
    ['\0\0\0\x1cftypM4A ', 'ffmpeg', 'an M4A file'],
    ['\0\0\0\x18ftypmp42', 'ffmpeg', 'an MP4 or MOV file'],
    ['\x1aE\xdf\xa3\x01\0', 'ffmpeg', 'a Matroska or WebM file'],
    ['FORM\0\0\0\0AIFF', 'ffmpeg', 'an AIFF file'],
    ['\xff\xf1\x50\x80', 'ffmpeg', 'an AAC file'],
    ['#!AMR\n\x3c', 'ffmpeg', 'an AMR file'],
    ['NIST_1A\n   1024\n', 'ffmpeg', 'a NIST SPHERE file'],
    ['%PDF-1.7', 'none', 'a PDF document'],
    ['PK\x03\x04', 'none', 'a ZIP archive'],
    ['GGUF\x03\0\0\0', 'none', 'a model file'],
    ['\x01\x02\x03\x04', 'ffmpeg', 'data in an unknown format'],
  ])('%j is for %s: %s', (start, decoder, found) => {
    expect(sniff(padded(start))).toMatchObject({ decoder, found })
  })

  it('takes a WAV file with a codec to ffmpeg, wherever its format lies', () => {
    for (const tag of [1, 3, 6, 7]) expect(sniff(wav(tag)).decoder).toBe('native')
    for (const tag of [2, 0x11, 0x55]) expect(sniff(wav(tag)).decoder).toBe('ffmpeg')
    expect(sniff(wav(0x55, 'JUNK\x03\0\0\0abc\0')).decoder).toBe('ffmpeg')
    expect(sniff(wav(0xfffe, '', 1)).decoder).toBe('native')
    expect(sniff(wav(0xfffe, '', 2)).decoder).toBe('ffmpeg')
    expect(sniff(padded('RIFF\0\0\0\0WAVEJUNK\xff\xff\xff\xff')).decoder).toBe('native')
  })

  it('takes two MPEG frames for MP3, and one that only looks so not', () => {
    expect(sniff(mp3Frames(3)).found).toBe('an MP3 file')
    expect(sniff(mp3Frames(1)).found).toBe('an MP3 file')
    expect(sniff(mp3Frames(3, 400)).found).toBe('data in an unknown format')
  })

  it('looks behind an ID3 tag', () => {
    expect(id3Length(bytes('ID3\x04\0\0\0\0\x02\x01'))).toBe(10 + 257)
    expect(id3Length(bytes('ID3\x04\0\x10\0\0\0\0'))).toBe(20)
    expect(id3Length(bytes('ID3\x04\0'))).toBe(0)
    expect(id3Length(bytes('RIFF\0\0\0\0WAVE'))).toBe(0)
    expect(sniff(mp3Frames(2), true).decoder).toBe('native')
    expect(sniff(new Uint8Array(100), true).found).toBe('an MP3 file')
    expect(sniff(new Uint8Array(0), true).found).toBe('an MP3 file')
    expect(sniff(bytes('fLaC'), true).decoder).toBe('ffmpeg')
  })

  it.each([
    ['Hello world, this is no audio.', /^a text file that begins with "Hello world/],
    ['hi\n', undefined],
    ['<!DOCTYPE html><html>', /^an HTML page$/],
    ['\n\n  <html lang="en">', /^an HTML page$/],
    ['\xef\xbb\xbf<!doctype html>', /^an HTML page$/],
    ['   \n\n', /^a blank text file$/],
    ['Gr\xc3\xbc\xc3\x9fe aus Z\xc3\xbcrich', /^a text file that begins with "Grüße/],
    ['\xff\xfeh\0e\0l\0l\0o\0', /^a text file that begins with "hello"/],
  ])('tells text: %j', (text, found) => {
    expect(sniff(bytes(text))).toMatchObject({ decoder: 'none' })
    if (found !== undefined) expect(sniff(bytes(text)).found).toMatch(found)
  })

  it.each([
    '#EXTM3U\n#EXT-X-TARGETDURATION:10\n',
    'ffconcat version 1.0\nfile /etc/passwd\n',
    'v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\n',
  ])('never takes a play list to ffmpeg, whatever follows it: %j', (list) => {
    expect(sniff(padded(list)).decoder).toBe('none')
    expect(sniff(padded(list), true).decoder).toBe('none')
  })

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (head, tagged) => {
        expect(['native', 'ffmpeg', 'none']).toContain(sniff(head, tagged).decoder)
        id3Length(head)
      }),
    )
    for (const start of ['RIFF....WAVEfmt ', 'ID3', 'OggS', '\xff\xfb\x90']) {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 100 }), (rest) => {
          expect(typeof sniff(Uint8Array.from([...bytes(start), ...rest])).found).toBe('string')
        }),
      )
    }
  })
})
