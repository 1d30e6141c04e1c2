/** The Java connector with our router. */
import { connectorColumns } from './columns.js'
import { jc } from './peers/jc.js'
import { describeColumns } from './suite.js'

describeColumns(connectorColumns([jc]))
