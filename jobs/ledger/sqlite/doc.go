// Package sqlite keeps a ledger in an SQLite file, for the runners of one machine.
//
// # What is kept
//
// The table event holds the events, which are the truth. The small tables run, step and
// task follow them in the same transaction: lists of runs come from them, and their
// CHECKs and triggers refuse illegal moves a second time, also to a program that is
// wrong or another one that writes into the file.
//
// # How it is kept
//
// Write-ahead log, synchronous FULL: what Append has returned survives a power cut, as
// far as the disk tells the truth. A transaction never spans a wait. A ledger has one
// connection; calls from several goroutines queue for it, and processes queue for the
// file's lock. A file on a network file system is refused: the log needs shared memory
// and true locks, and a ledger that two machines write is soon damaged.
//
// Files are made for their owner only: 0600, folders 0700. What is made beside a ledger that
// is there, SQLite's -wal and -shm files and the locks of leases, gets the rights of its
// file. Files and folders that are there already keep theirs.
//
// # Leases
//
// A lease is the kernel's lock on a file in the folder LEDGER.locks, one a key, named by a
// hash of it. The kernel frees it when the process ends, however it ends, and not before:
// nothing expires. The table lease holds the last epoch and the last holder of each key.
// Whoever takes a lease, or looks who has it, first gets SQLite's lock for writing, so that
// the table and the locks agree. The lock files are empty and need no backup; without them
// a lease is lost, and without the table epochs would begin anew. A run's file goes when the
// run is removed; nothing else may delete one.
//
// # Versions
//
// Open brings a file of an earlier version up to the present one, in one transaction. There
// is no way back: a program of the earlier version refuses the file, since it could not read
// what was recorded in between and would hold no leases. One that has the file open
// meanwhile can still record how its tasks end, and no further start.
//
// # Where it lies
//
// [Machine.Choose] says which file it is, [Dir] where the failure dumps and reports of
// its runs lie.
package sqlite
