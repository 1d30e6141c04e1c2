/**
 * The text messages that a router sends on 1.0: a request head with a blank line and a marker after it, and the marker
 * that ends a body. The blank line is not decoration: npm-cranker-connector and go-cranker-connector depend on it.
 */
import { CrankerError } from '../errors.js'
import { decodeRequestHead, encodeRequestHead } from '../head-text.js'
import type { RequestHead } from '../head.js'

const BODY_FOLLOWS = '_1'
const NO_BODY = '_2'
/** The whole text message that ends a body. */
export const BODY_ENDS = '_3'

/** @throws CrankerError CRANKER_ERR_BAD_REQUEST */
export function encodeRequestText(head: RequestHead, hasBody: boolean): string {
  return `${encodeRequestHead(head)}\n${hasBody ? BODY_FOLLOWS : NO_BODY}`
}

export interface RequestText {
  readonly head: RequestHead
  readonly hasBody: boolean
}

/** @throws CrankerError CRANKER_ERR_PROTOCOL */
export function decodeRequestText(text: string): RequestText {
  const trimmed = text.trimEnd()
  const markerAt = trimmed.lastIndexOf('\n') + 1
  const marker = trimmed.slice(markerAt)
  if (marker !== BODY_FOLLOWS && marker !== NO_BODY) {
    throw new CrankerError('CRANKER_ERR_PROTOCOL', 'the router sent a request head without a marker', {
      initiator: 'peer',
      delivered: 'no',
    })
  }
  return { head: decodeRequestHead(trimmed.slice(0, markerAt)), hasBody: marker === BODY_FOLLOWS }
}

export function isBodyEnd(text: string): boolean {
  return text.trimEnd() === BODY_ENDS
}
