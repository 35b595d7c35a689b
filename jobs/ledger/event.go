package ledger

import (
	"encoding/json"
	"time"
)

// Event is one thing that happened in a run. Events are the truth: everything else
// that is known of a run is folded from them.
type Event struct {
	Seq  int64     // 1, 2, 3 … within the run; given by Append
	At   time.Time // our clock, UTC
	Step string    // empty for events of the run
	Body Body
}

// Body is what an event says. Each kind is one struct below; a kind's meaning never
// changes: a new meaning is a new kind.
type Body interface {
	Kind() string
}

// ID names a run: job and run id together.
type ID struct {
	Job string `json:"job"`
	Run string `json:"run"`
}

// ObjectRef is one of Anaplan's objects as resolved.
type ObjectRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// ModelRef is a model as resolved, with where it stands.
type ModelRef struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Workspace string `json:"workspace"` // id
	Host      string `json:"host"`      // of the API, for leases and for adopting
}

// The kinds of events, in the order in which a run meets them.
type (
	// RunCreated is the first event of every run. Values are the resolved values of
	// the job file: a continued run uses these, not the file's. References to secrets
	// are recorded as references.
	RunCreated struct {
		ID        ID                `json:"id"`
		Version   string            `json:"version"` // of the program
		JobFile   string            `json:"job_file,omitempty"`
		JobDigest string            `json:"job_digest,omitempty"`
		Params    map[string]string `json:"params,omitempty"`
		Date      string            `json:"date"`     // run.date, 2006-01-02
		Timezone  string            `json:"timezone"` // IANA name
		Job       json.RawMessage   `json:"job"`      // the job with its values, as the engine encodes it
		Runner    Runner            `json:"runner"`
		Only      []string          `json:"only,omitempty"` // what was chosen of the job, if not all
		From      string            `json:"from,omitempty"`
		Steps     []StepPlan        `json:"steps"` // in file order
	}

	// RunContinued says that a runner goes on with a run that has ended open, or whose
	// runner is gone. Steps that were blocked are planned again.
	RunContinued struct {
		Runner  Runner `json:"runner"`
		Version string `json:"version"`
	}

	// JobRepaired says that what is left of the run follows another job file from here on.
	// Steps that have begun are all among Steps; those that were skipped are planned again;
	// the names of new ones are resolved by a RunResolved that follows.
	JobRepaired struct {
		JobFile   string          `json:"job_file,omitempty"`
		JobDigest string          `json:"job_digest,omitempty"`
		Job       json.RawMessage `json:"job"`
		Steps     []StepPlan      `json:"steps"`   // in file order
		Changes   []string        `json:"changes"` // for people, a line each
	}

	// StepReopened says that a step that has ended is not done. With Rerun what its task
	// did is done again, by a new task; else the step goes on where it was. With Rerun it
	// may also stand in a step under way whose task has ended.
	StepReopened struct {
		Rerun bool   `json:"rerun,omitempty"`
		Why   string `json:"why"`
		By    string `json:"by,omitempty"` // the person who decided, user@host; empty: the job file
	}

	// RunResolved follows once every name was found: the ids that a continued run uses.
	RunResolved struct {
		Steps []StepObject `json:"steps"`
		User  User         `json:"user"`
	}

	// StepStarted opens a try.
	StepStarted struct {
		Try int `json:"try"` // from 1
	}

	// Waiting says that a step waits, for what and for whom; once a reason, not a poll.
	Waiting struct {
		Reason string `json:"reason"` // busy, locked, closed, maintenance, lease, queue …
		Text   string `json:"text"`
	}

	// SourceUploaded says that a server file holds exactly these bytes. It belongs to the step
	// that reads or fills the file, and may stand before the step's first try, if the file was
	// filled ahead of need: whether it still holds them then, its lease tells.
	SourceUploaded struct {
		File   ObjectRef `json:"file"`
		Path   string    `json:"path"`            // as data.Display has it
		Files  []string  `json:"files,omitempty"` // of which the bytes were made, if not of Path alone
		Bytes  int64     `json:"bytes"`
		Rows   *int64    `json:"rows,omitempty"` // data rows, when counted
		Chunks int       `json:"chunks"`
		Digest string    `json:"digest"` // XXH3-128 of the bytes

		// Of the transfer; zero in events of older programs, which did not tell.
		Wire int64         `json:"wire_bytes,omitempty"` // that went over the line: compressed, repeats included
		Took time.Duration `json:"took,omitempty"`       // nanoseconds

		Modified time.Time `json:"modified,omitzero"`
		User     string    `json:"user"`            // uploads are private to this login
		Epoch    int64     `json:"epoch,omitempty"` // of the lease of the server file
	}

	// Intent is recorded before a POST that starts a task, durably.
	Intent struct {
		Number     int        `json:"number"` // of the run, from 1
		Epoch      int64      `json:"epoch"`  // of the lease of the model; 0 without
		ServerTime time.Time  `json:"server_time,omitzero"`
		Before     TaskListed `json:"before"`
		Files      []FileRead `json:"files,omitempty"` // what it will read
	}

	// TaskStarted closes an intent: Anaplan gave a task id.
	TaskStarted struct {
		Number  int       `json:"number"`
		Task    string    `json:"task"`
		Created time.Time `json:"created,omitzero"` // Anaplan's creationTime
	}

	// StartRefused closes an intent: it is certain that nothing was started.
	StartRefused struct {
		Number int    `json:"number"`
		Text   string `json:"text"`
	}

	// StartUnknown leaves an intent open: the answer was lost.
	StartUnknown struct {
		Number int    `json:"number"`
		Text   string `json:"text"`
	}

	// StartSettled closes an intent whose outcome was not known, after Anaplan was looked
	// at, or by a person.
	StartSettled struct {
		Number  int           `json:"number"`
		Outcome IntentOutcome `json:"outcome"` // started, absent, overruled
		Task    string        `json:"task,omitempty"`
		Created time.Time     `json:"created,omitzero"` // Anaplan's creationTime
		Text    string        `json:"text"`             // why
		By      string        `json:"by,omitempty"`     // the person who decided, user@host
	}

	// TaskSeen is recorded when the state of a task changed. A poll that changed
	// nothing is no event.
	TaskSeen struct {
		Task  string `json:"task"`
		State string `json:"state"`
		Step  string `json:"current_step,omitempty"`
	}

	// CancelAsked says that we asked Anaplan to cancel. That is not a cancel done.
	CancelAsked struct {
		Task   string `json:"task"`
		Reason string `json:"reason"`
		Stop   bool   `json:"stop,omitempty"`  // because the run was stopped
		Error  string `json:"error,omitempty"` // the request failed
	}

	// TaskEnded is recorded when Anaplan gave a terminal state. Result is Anaplan's,
	// as it came.
	TaskEnded struct {
		Task   string          `json:"task"`
		State  string          `json:"state"`
		Step   string          `json:"current_step,omitempty"`
		Result json.RawMessage `json:"result,omitempty"`
	}

	// DumpSaved says that a failure dump lies in a file, or why it does not.
	DumpSaved struct {
		Task  string    `json:"task"`
		Of    ObjectRef `json:"of"`             // the import that rejected the rows
		Path  string    `json:"path,omitempty"` // empty when it could not be had
		Bytes int64     `json:"bytes"`
		Dump  DumpStats `json:"stats"`
		Error string    `json:"error,omitempty"`
	}

	// TargetPlacing is recorded before a file takes the place of one that is kept, durably.
	// By it whoever continues the run tells what is in place: what is to be kept, or what
	// this run has put there. Versions are those of the store; empty: there was no file.
	TargetPlacing struct {
		File     ObjectRef `json:"file"`
		Path     string    `json:"path"`
		Previous string    `json:"previous,omitempty"` // version of what was in place
		First    string    `json:"first,omitempty"`    // version of the one that was kept last
		Kept     bool      `json:"kept,omitempty"`     // what was in place needed not be kept
		Stored   string    `json:"stored"`             // size and XXH3-128 of the file, as it is stored
	}

	// TargetWritten says that a file is complete and in place.
	TargetWritten struct {
		File   ObjectRef `json:"file"`
		Path   string    `json:"path"`
		Bytes  int64     `json:"bytes"`
		Rows   *int64    `json:"rows,omitempty"`
		Chunks int       `json:"chunks"`
		Digest string    `json:"digest"`

		// Of the download; zero in events of older programs, which did not tell, and for a
		// further target of the same download.
		Wire int64         `json:"wire_bytes,omitempty"` // that came over the line: repeats included
		Took time.Duration `json:"took,omitempty"`       // nanoseconds

		// Unmarked: the download failed before its done marker was written. It is fetched
		// again, with the marker.
		Unmarked bool `json:"unmarked,omitempty"`
		// Alike is how many targets of the download that have the same path here stand before
		// it: what tells them apart is a part of their URLs that is not recorded.
		Alike int `json:"alike,omitempty"`
		// Version is what the store knows it by, where previous ones are kept, in events of
		// older programs, which recorded no TargetPlacing.
		Version string `json:"version,omitempty"`
	}

	// SourceMoved says that a file of a source was moved after every step that reads it
	// had ended: whoever continues the run finds it there. It is an event of the run.
	SourceMoved struct {
		Source string `json:"source"` // as the job file names it
		From   string `json:"from"`
		To     string `json:"to"`
		Digest string `json:"digest,omitempty"` // of the bytes of the whole source, as they are sent
		Error  string `json:"error,omitempty"`  // it stays at From
	}

	// CommandStarted is recorded before a step's program is started, durably.
	CommandStarted struct {
		Program string `json:"program"` // without its arguments
	}

	// CommandEnded says how a step's program ended, or that it could not be started.
	CommandEnded struct {
		Code  int           `json:"exit_code"`       // -1: it did not exit by itself
		Took  time.Duration `json:"took"`            // nanoseconds
		Why   Cause         `json:"why,omitempty"`   // the runner ended it: its time was over (time), or the run was stopped (signal)
		Tail  []string      `json:"tail,omitempty"`  // its last lines, unless it exited with 0
		Error string        `json:"error,omitempty"` // nothing of it ran
	}

	// Warned is something a person should read that changes no verdict.
	Warned struct {
		Text string `json:"text"`
	}

	// TryFailed closes a try of something that did not happen, before the next one.
	TryFailed struct {
		Try   int    `json:"try"`
		Cause Cause  `json:"cause"`
		Text  string `json:"text"`
	}

	// StepEnded closes a step.
	StepEnded struct {
		Verdict Verdict         `json:"verdict"`
		Cause   Cause           `json:"cause,omitempty"`
		Message string          `json:"message,omitempty"` // what was done, to what, what Anaplan answered
		Next    string          `json:"next,omitempty"`    // what to do
		Rows    Rows            `json:"rows"`
		Actions []ActionVerdict `json:"actions,omitempty"` // of a process, in order
		Fetch   bool            `json:"fetch,omitempty"`   // its task is ok, and what that wrote is not here: that is fetched, and not run again
		Stopped bool            `json:"stopped,omitempty"` // because the run was stopped: it was blocked, cancelled, or left running
	}

	// StopAsked says that nothing new starts from here on, and why.
	StopAsked struct {
		Cause  Cause  `json:"cause"`
		Signal string `json:"signal,omitempty"` // SIGINT …
		Text   string `json:"text"`
	}

	// RunEnded closes the run for this runner. A run that is not [State.Closed] can be
	// continued.
	RunEnded struct {
		Verdict Verdict `json:"verdict"`
		Cause   Cause   `json:"cause,omitempty"`
		Code    int     `json:"exit_code"`
		Message string  `json:"message,omitempty"`
		Next    string  `json:"next,omitempty"`
	}
)

// Runner says who runs.
type Runner struct {
	Host string `json:"host"`
	PID  int    `json:"pid"`
	User string `json:"user"` // of the operating system
}

// User is the login at Anaplan.
type User struct {
	ID    string `json:"id"`
	Email string `json:"email,omitempty"`
}

// StepPlan is a step as planned, before names are resolved.
type StepPlan struct {
	Name  string   `json:"name"`
	Verb  string   `json:"verb"`
	Label string   `json:"label"` // the object as the job file names it
	Model string   `json:"model"` // likewise
	Needs []string `json:"needs,omitempty"`

	OnFailure string `json:"on_failure,omitempty"`
	OnPartial string `json:"on_partial,omitempty"`

	// ShowRejected is how many rejected rows of each failure dump a report may show;
	// they are people's data.
	ShowRejected int `json:"show_rejected,omitempty"`
}

// StepObject is what a step's names were resolved to.
type StepObject struct {
	Step   string    `json:"step"`
	Object ObjectRef `json:"object"`
	Model  ModelRef  `json:"model"`
}

// FileRead is a server file that a task reads, as this run filled it. Without a digest it
// reads what the model holds.
type FileRead struct {
	File   string `json:"file"` // id
	User   string `json:"user"` // id of the login: uploads are private
	Digest string `json:"digest"`
	Epoch  int64  `json:"epoch,omitempty"` // of the lease of the file under which it is read
}

// TaskListed says what the object's task list held before a start.
type TaskListed struct {
	Count  int       `json:"count"`
	Latest time.Time `json:"latest,omitzero"`
	Recent []string  `json:"recent,omitempty"` // ids of the last 48 hours
}

// DumpStats counts a failure dump. Reasons bear no values of rows.
type DumpStats struct {
	Rejected int64    `json:"rejected"` // rows marked E
	Warned   int64    `json:"warned"`   // rows marked W
	Reasons  []Reason `json:"reasons,omitempty"`
}

// Reason is a kind of rejection and how many rows bear it.
type Reason struct {
	Text  string `json:"text"`
	Count int64  `json:"count"`
}

// ActionVerdict is the verdict of one action of a process, or of a step's own import.
type ActionVerdict struct {
	Object   ObjectRef     `json:"object"`
	Verdict  Verdict       `json:"verdict"`
	Cause    Cause         `json:"cause,omitempty"`
	Message  string        `json:"message,omitempty"`
	Rows     Rows          `json:"rows"`
	Dump     *DumpStats    `json:"dump,omitempty"`
	DumpPath string        `json:"dump_path,omitempty"`
	Texts    []string      `json:"texts,omitempty"` // Anaplan's own, verbatim
	Started  time.Time     `json:"started,omitzero"`
	Duration time.Duration `json:"duration,omitzero"`
}

// Kind names of the events. They are what stands in the ledger.
func (RunCreated) Kind() string     { return "run_created" }
func (RunContinued) Kind() string   { return "run_continued" }
func (RunResolved) Kind() string    { return "run_resolved" }
func (JobRepaired) Kind() string    { return "job_repaired" }
func (StepReopened) Kind() string   { return "step_reopened" }
func (StepStarted) Kind() string    { return "step_started" }
func (Waiting) Kind() string        { return "waiting" }
func (SourceUploaded) Kind() string { return "source_uploaded" }
func (Intent) Kind() string         { return "intent" }
func (TaskStarted) Kind() string    { return "task_started" }
func (StartRefused) Kind() string   { return "start_refused" }
func (StartUnknown) Kind() string   { return "start_unknown" }
func (StartSettled) Kind() string   { return "start_settled" }
func (TaskSeen) Kind() string       { return "task_seen" }
func (CancelAsked) Kind() string    { return "cancel_asked" }
func (TaskEnded) Kind() string      { return "task_ended" }
func (DumpSaved) Kind() string      { return "dump_saved" }
func (TargetPlacing) Kind() string  { return "target_placing" }
func (TargetWritten) Kind() string  { return "target_written" }
func (SourceMoved) Kind() string    { return "source_moved" }
func (CommandStarted) Kind() string { return "command_started" }
func (CommandEnded) Kind() string   { return "command_ended" }
func (Warned) Kind() string         { return "warned" }
func (TryFailed) Kind() string      { return "try_failed" }
func (StepEnded) Kind() string      { return "step_ended" }
func (StopAsked) Kind() string      { return "stop_asked" }
func (RunEnded) Kind() string       { return "run_ended" }
