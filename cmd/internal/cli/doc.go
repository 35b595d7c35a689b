// Package cli is the command line: one file per command, flags in, calls, printing, exit
// codes. What the commands share stands in a few files of its own: program.go (a call and
// what it touches of the process), app.go (the commands, help, usage errors), permute.go
// (flags before and after arguments), login.go (flags, ANAPLAN_* variables, connection),
// wire.go (everything is put together there and nowhere else), finish.go (the result),
// fail.go (errors and their codes), signal.go, log.go and progress.go.
package cli
