/** The Java router with our connector. */
import { routerColumns } from './columns.js'
import { mu } from './peers/mu.js'
import { describeColumns } from './suite.js'

describeColumns(routerColumns([mu]))
