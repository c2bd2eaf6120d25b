import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../../../lib/backend/package-root.ts'
import { makeSbom } from '../../../scripts/support/sbom.mjs'

const root = packageRoot()
const sbom = makeSbom(root, [{ name: '@whisper-hip/linux-x64', file: 'x.tgz', sha256: 'ab' }])
const find = (name: string) => sbom.components.find((component) => component.name === name)

describe('the bill of materials', () => {
  it('has every package that the library needs, and what those need', () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    for (const name of [...Object.keys(dependencies), 'pend', 'file-uri-to-path'])
      expect(find(name), name).toMatchObject({ version: expect.any(String), hashes: [{ alg: 'SHA-512' }] })
  })

  it('has every vendored source with its licence and the hash of its files', () => {
    for (const file of readdirSync(join(root, 'vendor')).filter((name) => name.endsWith('.json')))
      expect(find(file.replace('.json', '')), file).toMatchObject({
        licenses: [{ license: { id: expect.any(String) } }],
        hashes: [{ alg: 'SHA-256', content: expect.stringMatching(/^[0-9a-f]{64}$/) }],
      })
    expect(find('whisper.cpp')).toMatchObject({ purl: 'pkg:github/ggml-org/whisper.cpp@1.9.1' })
  })

  it('names nothing that the licences do not', () => {
    const licences = readFileSync(join(root, 'THIRD_PARTY_LICENSES'), 'utf8').toLowerCase()
    for (const name of ['miniaudio', 'stb_vorbis', 'libstdc++', 'llamafile', 'string-width'])
      expect(licences).toContain(name)
  })

  it('has references that are unique and lead somewhere', () => {
    const references = sbom.components.map((component) => component['bom-ref'])
    expect(new Set(references).size).toBe(references.length)
    expect(sbom.dependencies[0]?.dependsOn).toEqual(references)
  })

  it('is the same for the same release', () => {
    const again = makeSbom(root, [{ name: '@whisper-hip/linux-x64', file: 'x.tgz', sha256: 'ab' }])
    expect(again).toEqual(sbom)
    expect(sbom.serialNumber).toMatch(
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
    )
    expect(makeSbom(root).serialNumber).not.toBe(sbom.serialNumber)
  })
})
