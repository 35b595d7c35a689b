// Package postgres keeps a ledger in a PostgreSQL database, for runners on several
// machines.
//
// # What is kept
//
// The table event holds the events, which are the truth. The small tables run, step and
// task follow them in the same transaction, as those of an SQLite ledger do: lists of runs
// come from them, and their CHECKs and triggers refuse illegal moves a second time. All
// lie in a schema of their own: that of search_path in the address, else anaplan_runner.
// Its version stands in ledger_version; Open brings an older one up, in one transaction,
// and refuses a newer one.
//
// # How it is kept
//
// An append is one transaction that locks the row of its run, and is acknowledged when it
// is on the server's disk (synchronous_commit is at least on). No transaction spans a wait,
// and the server ends one whose runner was stopped in its middle. If the connection is lost
// while an append is committed, nobody knows whether it was made: the error says so, and
// whoever appends must look.
//
// A server that loses commits makes the record untrue: fsync must be on, and a standby
// that takes over must be a synchronous one. Behind PgBouncer, sessions must be pooled,
// not transactions.
//
// # Leases
//
// A lease is a row that lives 60 s by the database's clock and is renewed every 15 s
// ([ledger.Timed] says when it is lost). Every taking raises its epoch. An intent is
// appended only with the last epoch of its model's lease, and that row is locked until the
// append is committed: whoever takes the lease afterwards sees the intent. A taking whose
// answer was lost may keep the lease taken, for nobody, until the 60 s are over. If the
// server's clock jumps forward by more than 20 s, also because another server takes over,
// two may trust one lease; the epoch then still refuses the intents of the earlier one.
package postgres
