/** What clients do wrong before there is a request, and what they are told. */
import { v7 as uuidv7 } from 'uuid'
import { CrankerError } from '../../protocol/errors.js'
import { errorAnswer } from '../responses.js'

/** Undefined: it is the connection that failed, not what was said on it. */
export function clientFault(cause: NodeJS.ErrnoException): CrankerError | undefined {
  const { code = '' } = cause
  const options = { initiator: 'caller', delivered: 'maybe', cause } as const
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new CrankerError('CRANKER_ERR_HEAD_TOO_LARGE', 'The head of the request is too large.', options)
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new CrankerError('CRANKER_ERR_CLIENT_TIMEOUT', 'The request head did not come in time.', options)
  }
  if (code === 'HPE_INVALID_TRANSFER_ENCODING') {
    return new CrankerError('CRANKER_ERR_BAD_REQUEST', 'The Transfer-Encoding is malformed.', options)
  }
  if (!code.startsWith('HPE_')) return undefined
  return new CrankerError('CRANKER_ERR_BAD_REQUEST', 'The request is not valid HTTP/1.1.', options)
}

/** A whole response, for a socket that no request is open on. */
export function rawAnswer(error: CrankerError, viaName: string): Buffer {
  const { head, body } = errorAnswer({ error, requestId: uuidv7(), headers: [], viaName })
  let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n`
  for (let i = 0; i < head.headers.length; i += 2) {
    text += `${head.headers[i] as string}: ${head.headers[i + 1] as string}\r\n`
  }
  text += `Date: ${new Date().toUTCString()}\r\nConnection: close\r\n\r\n`
  return Buffer.concat([Buffer.from(text, 'latin1'), body])
}
