/** The Python connectors with our router. */
import { connectorColumns } from './columns.js'
import { ac } from './peers/ac.js'
import { c4p } from './peers/c4p.js'
import { describeColumns } from './suite.js'

describeColumns(connectorColumns([c4p, ac]))
