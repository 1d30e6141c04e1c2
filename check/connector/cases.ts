/** Every case about connectors, in the order in which they are run: the basics first, what ends the connector last. */
import type { Case } from '../case.js'
import type { ConnectorContext } from './context.js'
import { extensionCases } from './extension-cases.js'
import { forwardingCases } from './forwarding-cases.js'
import { headCases } from './head-cases.js'
import { registrationCases } from './registration-cases.js'
import { upgradeCases } from './upgrade-cases.js'
import { v1Cases } from './v1-cases.js'
import { v3Cases } from './v3-cases.js'
import { v3FlowCases } from './v3-flow-cases.js'
import { livenessCases, stopCases, windowCases } from './window-cases.js'

export const connectorCases: readonly Case<ConnectorContext>[] = [
  ...registrationCases,
  ...headCases,
  ...v1Cases,
  ...v3Cases,
  ...v3FlowCases,
  ...forwardingCases,
  ...extensionCases,
  ...upgradeCases,
  ...windowCases,
  ...livenessCases,
  ...stopCases,
]
