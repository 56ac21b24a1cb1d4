/**
 * Another OS process that takes the write lock of a database and keeps it until it is killed.
 *
 * usage: node locker.js <database>
 */
import Database from "better-sqlite3"

const [, , filename = ""] = process.argv

const db = new Database(filename)
db.exec("BEGIN IMMEDIATE")
process.stdout.write("locked\n")
// Whoever started it kills it; should they be gone, it ends by itself. A connection that nobody refers to would be closed.
setTimeout(() => db.close(), 60_000)
