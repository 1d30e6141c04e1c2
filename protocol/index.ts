/**
 * `cranker/protocol`: the wire protocol's pure parts, for tools, tests and connectors of your own. No sockets here:
 * `cranker/router` and `cranker/connector` have those.
 */
export { CrankerError } from './errors.js'
export type { CrankerErrorOptions, Delivered, ErrorCode, Initiator } from './errors.js'

export { headerValue } from './head.js'
export type { RawHeaders, RequestHead, ResponseHead } from './head.js'
export {
  decodeRequestHead,
  decodeResponseHead,
  decodeTrailers,
  encodeRequestHead,
  encodeResponseHead,
  encodeTrailers,
} from './head-text.js'
export { FORWARDING_FIELDS, filterRequestHeaders, filterResponseHeaders } from './hop-by-hop.js'
export { encodeTargetForStrictPeers, isForwardableTarget } from './target-text.js'

export {
  ALL_VERSIONS,
  answeredVersion,
  LEGACY_HEADER,
  LEGACY_VERSION,
  negotiate,
  offeredSubprotocols,
} from './negotiate.js'
export type { Negotiated, NegotiationAnswer, NegotiationRequest } from './negotiate.js'
export {
  capabilitiesOf,
  EXTENSIONS_HEADER,
  formatExtensions,
  NO_CAPABILITIES,
  OUR_EXTENSIONS,
  parseExtensions,
} from './extensions.js'
export type { Extensions } from './extensions.js'
export {
  formatRegistrationHeaders,
  formatRegistrationTarget,
  isRouteName,
  normalizeDomain,
  parseRegistration,
  registrationKind,
} from './registration.js'
export type { Registration, RegistrationIdentity, RegistrationKind, RegistrationOffer } from './registration.js'
export type { Capabilities, ProtocolVersion } from './session.js'

export { BODY_ENDS, decodeRequestText, encodeRequestText, isBodyEnd } from './v1/request-text.js'
export type { RequestText } from './v1/request-text.js'

export { dataHead, decodeFrame, goawayFrame, rstFrame, windowUpdateFrame } from './v3/frame.js'
export type { Frame } from './v3/frame.js'
export { encodeHeadBlock } from './v3/head-block.js'

export { arrow, describeMeaning, describeMessage } from './describe.js'
export type { DescribeOptions } from './describe.js'
export { meaningOf } from './meaning.js'
export type { Meaning, MeaningOptions, Sender, TunnelMessage } from './meaning.js'
