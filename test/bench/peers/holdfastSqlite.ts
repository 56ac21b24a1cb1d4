/** This library on SQLite, with FULL. */
import { join } from "node:path"
import * as SingleHost from "../../../src/host/SingleHost.ts"
import { engines, openOn } from "./holdfast.ts"
import type { PeerModule } from "./Peer.ts"

/** Opens a file in the folder. */
export const open: PeerModule["open"] = ({ folder }) =>
  openOn(SingleHost.layerSqlite({ filename: join(folder, "holdfast.db"), engines, synchronous: "FULL" }))
