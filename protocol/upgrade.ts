/** The one upgrade that is carried: to `websocket` (docs/protocol.md §9.7, RFC 9110 §7.8). */
import type { RawHeaders } from './head.js'

/** The status that accepts an upgrade. */
export const SWITCHING_PROTOCOLS = 101

/** What the next hop must read after all hop-by-hop fields were removed from a head that asks for it, or grants it. */
export const UPGRADE_FIELDS: RawHeaders = ['Connection', 'Upgrade', 'Upgrade', 'websocket']

/**
 * True for a request head that asks for an upgrade to `websocket`, and for a 101 that grants it: both fields, each a
 * list without regard to case.
 */
export function upgradesToWebSocket(headers: RawHeaders): boolean {
  return lists(headers, 'connection', 'upgrade') && lists(headers, 'upgrade', 'websocket')
}

/** Whether a field `name` (lower case) lists `member` (lower case), in one line or several. */
export function lists(headers: RawHeaders, name: string, member: string): boolean {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const field = headers[i] as string
    if (field.length !== name.length || field.toLowerCase() !== name) continue
    const members = (headers[i + 1] as string).toLowerCase().split(',')
    if (members.some((each) => each.trim() === member)) return true
  }
  return false
}
