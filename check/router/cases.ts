/** All cases about routers, in the order of docs/protocol.md. */
import type { Case } from '../case.js'
import type { RouterContext } from './context.js'
import { extensionCases } from './extension-cases.js'
import { handshakeCases } from './handshake-cases.js'
import { headCases } from './head-cases.js'
import { httpCases } from './http-cases.js'
import { upgradeCases } from './upgrade-cases.js'
import { v1Cases } from './v1-cases.js'
import { v3Cases } from './v3-cases.js'

export const routerCases: readonly Case<RouterContext>[] = [
  ...handshakeCases,
  ...headCases,
  ...v1Cases,
  ...v3Cases,
  ...httpCases,
  ...extensionCases,
  ...upgradeCases,
]
