import { describe, expect, it } from 'vitest'
import { NO_CAPABILITIES } from '../../../protocol/extensions.js'
import { encodeTargetForStrictPeers, isForwardableTarget, targetFor } from '../../../protocol/target-text.js'
import { vectors } from '../../support/vectors.js'

interface Targets {
  encoded: { target: string; encoded: string }[]
  refused: string[]
  forwardable: string[]
}

const targets = vectors<Targets>('targets')

describe('request targets', () => {
  it.each(targets.encoded)(
    'are percent-encoded where java.net.URI would reject them: $target',
    ({ target, encoded }) => {
      expect(encodeTargetForStrictPeers(target)).toBe(encoded)
      expect(encodeTargetForStrictPeers(encoded)).toBe(encoded)
    },
  )

  it.each(targets.refused)('cannot be forwarded: %j', (target) => {
    expect(isForwardableTarget(target)).toBe(false)
  })

  it.each(targets.forwardable)('can be forwarded: %j', (target) => {
    expect(isForwardableTarget(target)).toBe(true)
  })

  it('reach a peer that takes them byte for byte as they came', () => {
    expect(targetFor({ ...NO_CAPABILITIES, rawTarget: true }, '/a|b')).toBe('/a|b')
    expect(targetFor(NO_CAPABILITIES, '/a|b')).toBe('/a%7Cb')
  })

  it('keep, once encoded, only what java.net.URI accepts (RFC 2396)', () => {
    for (let code = 0x21; code < 0x100; code++) {
      const char = String.fromCharCode(code)
      if (!isForwardableTarget(`/${char}`)) continue
      expect(encodeTargetForStrictPeers(`/${char}`)).toMatch(/^\/(?:[\w\-!.~'()*;/?:@&=+$,]|%[0-9A-F]{2})$/)
      expect(encodeTargetForStrictPeers(`/?${char}`)).toMatch(/^\/\?(?:[\w\-!.~'()*;/?:@&=+$,[\]]|%[0-9A-F]{2})$/)
    }
  })
})
