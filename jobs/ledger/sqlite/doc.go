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
// Files are made for their owner only: 0600, folders 0700. SQLite gives its -wal and
// -shm files the mode of the main one. Files and folders that are there already keep
// their rights.
//
// # Where it lies
//
// [Machine.Choose] says which file it is, [Dir] where the failure dumps and reports of
// its runs lie.
package sqlite
