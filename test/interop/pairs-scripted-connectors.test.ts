/** Stand-ins for the connectors that cannot be installed by name, with our router. */
import { scriptedConnectors } from '../support/peers/index.js'
import { connectorColumns } from './columns.js'
import { describeColumns } from './suite.js'

describeColumns(connectorColumns(scriptedConnectors))
