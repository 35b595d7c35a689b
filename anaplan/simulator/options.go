package simulator

import (
	"crypto/x509"
	"time"
)

// Options say how a Simulator behaves; the zero value is a tenant as it was seen live, in real time.
type Options struct {
	// Now is the clock for everything that is compared with the wall clock; nil is time.Now. A clock
	// that jumps takes tasks, tokens and files along.
	Now func() time.Time
	// TokenLife is 35 minutes when 0 (anaplan-api.md 2.8).
	TokenLife time.Duration
	// Speed divides the durations of tasks and of loading a model; 0 is 1.
	Speed float64
	// ChunkSize is that of exports, dumps and whole files in bytes; 0 is 10 MB (9.8).
	ChunkSize int
	// Seed varies what has no fixed order: task ids, the order of values, the nulls.
	Seed uint64
	// Switches replaces those of the Company when not nil; Faults are added to the Company's.
	// Spells and Strangers are added likewise.
	Switches  *Switches
	Faults    []Fault
	Spells    []Spell
	Strangers []Stranger
	// Trust, when not nil, must lead to every client certificate; Registered, when not empty, must
	// contain it. Without either, any certificate with a known user's address is accepted.
	Trust      *x509.CertPool
	Registered []*x509.Certificate
	// Registry, when not nil, says at each login which certificates are registered at that moment, as they are uploaded and removed
	// under Administration > Security > Certificates. None is registered then that it does not name.
	Registry func() []*x509.Certificate
	// Wire is for measuring transfers.
	Wire Wire
}

// Switches decide what nobody knows, or what differs between places, about Anaplan. The zero value of
// each is what was seen live, or else the best documented. Numbers are sections of anaplan-api.md.
type Switches struct {
	// RejectsSuccessful: a task that rejected rows is "successful" nevertheless (11.3).
	RejectsSuccessful bool `toml:"rejects_successful"`
	// SilentProcess: a process in which rows were rejected or ignored ends with successful false, no
	// dump and no details at any level (11.3, last row).
	SilentProcess bool `toml:"silent_process"`
	// ContinueAfterFailure: an action of a process that cannot run does not stop the rest (11.6).
	ContinueAfterFailure bool `toml:"continue_after_failure"`
	// IncompleteImportable: an upload with chunkCount -1 can be imported before complete (21.6).
	IncompleteImportable bool `toml:"incomplete_importable"`
	// Busy is what calls outside the list of (8.3) get while a task runs: "" as if free, "hang", "409".
	Busy string `toml:"busy"`
	// StartBusy409: starting a second task on a busy model answers 409 instead of queueing (8.3).
	StartBusy409 bool `toml:"start_busy_409"`
	// NoDump is the answer of a chunk list without a dump: "" is 404, "400", "200" (12.2).
	NoDump string `toml:"no_dump"`
	// NoDump204: the whole dump answers 204 instead of 404 where there is none (12.2).
	NoDump204 bool `toml:"no_dump_204"`
	// Unauthorized is the body of a 401 of the Integration API: "" envelope, "empty", "auth" (6.4).
	Unauthorized string `toml:"unauthorized"`
	// NoRateLimit switches 429 off. RetryAfter is its header: "" seconds, "date", "absent" (5).
	NoRateLimit bool   `toml:"no_rate_limit"`
	RetryAfter  string `toml:"retry_after"`
	// RateCapacity and RatePerSecond are 600 and 10 when 0 (5).
	RateCapacity  int     `toml:"rate_capacity"`
	RatePerSecond float64 `toml:"rate_per_second"`
	// EchoZero: the answer to a chunk count shows 0 instead of the new value (9.3).
	EchoZero bool `toml:"echo_zero"`
	// RefuseApplicationGzip: a chunk of type application/gzip gets 400, only x-gzip is taken (21.13).
	RefuseApplicationGzip bool `toml:"refuse_application_gzip"`
	// RefreshNewValue: refresh gives another token, as documented, instead of the same (2.5).
	RefreshNewValue bool `toml:"refresh_new_value"`
	// RefuseV1: the old message of certificate login is refused (2.2).
	RefuseV1 bool `toml:"refuse_v1"`
	// FreshnessWindow of a v2 message, to either side; 5 minutes when 0 (21.3).
	FreshnessWindow time.Duration `toml:"freshness_window"`
	// CancelTime is how long CANCELLING lasts; 1 s when 0. TooLate is the part at the end of an
	// action in which it cannot be rolled back any more, 0..1; 0.1 when 0, never when negative (11.7).
	CancelTime time.Duration `toml:"cancel_time"`
	TooLate    float64       `toml:"too_late"`
	// CancelLost: a cancel is taken, and after CancelTime the task goes on and completes all the same (11.7).
	CancelLost bool `toml:"cancel_lost"`
	// StateIgnored: archived, locked and offline models start tasks all the same (21.10).
	StateIgnored bool `toml:"state_ignored"`
	// SparseTasks: some tasks lack creationTime and, before they run, currentStep (11.2). Published clients
	// that work live do not start without creationTime, so it is there by default.
	SparseTasks bool `toml:"sparse_tasks"`
	// UniformDetails: no nulls, no missing texts, names and types (11.2, 11.4).
	UniformDetails bool `toml:"uniform_details"`
	// BareTaskID: the start of a task answers {"taskId"} without "task" around it (11.1).
	BareTaskID bool `toml:"bare_task_id"`
	// ParallelTasks: a second task by one user on one model is no misuse.
	ParallelTasks bool `toml:"parallel_tasks"`
	// PollEvery is what a task may be polled at most without misuse: 5 s divided by the speed when 0 (5),
	// anything when negative.
	PollEvery time.Duration `toml:"poll_every"`
	// FileLife is how long private content and dumps last after the last access; 48 h when 0 (9.1).
	FileLife time.Duration `toml:"file_life"`
}
