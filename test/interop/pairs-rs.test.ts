/** The Rust router with our connector. */
import { routerColumns } from './columns.js'
import { rs } from './peers/rs.js'
import { describeColumns } from './suite.js'

describeColumns(routerColumns([rs]))
