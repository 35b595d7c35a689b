package report

import (
	"encoding/json"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Schema is the version of the JSON. Fields are only ever added to it.
const Schema = 1

// Report is a run as people and programs read it. In JSON every field is always there:
// a text that there is nothing to say of is "", a number or a time that is not known is
// null, a list without entries is []. Fields without a JSON name are for people only.
type Report struct {
	Schema   int            `json:"schema"`
	Job      string         `json:"job"`
	Run      string         `json:"run"`
	Verdict  ledger.Verdict `json:"verdict"` // "" while the run has not ended
	Cause    ledger.Cause   `json:"cause"`
	Code     *int           `json:"exit_code"`
	Ledger   string         `json:"ledger"`
	Started  Time           `json:"started"`
	Ended    Time           `json:"ended"`
	Adopted  bool           `json:"adopted"` // a task whose start's answer was lost was found to be ours
	Resumed  bool           `json:"resumed"` // a runner went on where another one had stopped
	Message  string         `json:"message"`
	Next     string         `json:"next"`
	Date     string         `json:"date"`     // run.date
	Timezone string         `json:"timezone"` // as recorded, an IANA name
	Version  string         `json:"version"`  // of the program that created the run
	User     string         `json:"user"`     // at Anaplan
	Runner   ledger.Runner  `json:"runner"`
	Stopped  string         `json:"stopped"` // who stopped it from outside
	Warnings []string       `json:"warnings"`
	Moved    []Moved        `json:"moved"` // files of sources, when all that read them had ended
	Steps    []Step         `json:"steps"` // in file order

	Continued []Continuation `json:"continued"` // the times that a runner went on with it
	Repaired  []Repair       `json:"repaired"`  // the times that it was given another job file
	Transfers Transfers      `json:"transfers"` // uploads and downloads of all steps together

	JobFile string         `json:"-"`
	Signal  string         `json:"-"`
	Seen    time.Time      `json:"-"` // of the last event
	Zone    *time.Location `json:"-"` // of Timezone; UTC where that is not known here
}

// Moved is a file of a source that was moved, or that could not be.
type Moved struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Error string `json:"error"` // it stays at From
}

// Step is one step of a run.
type Step struct {
	Name     string           `json:"name"`
	Verb     string           `json:"verb"`
	Object   ledger.ObjectRef `json:"object"` // without an id until names were resolved
	Model    Model            `json:"model"`  // likewise
	Verdict  ledger.Verdict   `json:"verdict"`
	Cause    ledger.Cause     `json:"cause"`
	Tries    int              `json:"tries"`
	Task     string           `json:"task"` // Anaplan's id of the latest
	Started  Time             `json:"started"`
	Ended    Time             `json:"ended"`
	Queued   *float64         `json:"queued_s"` // seconds between the start of its tasks and their beginning
	Rows     ledger.Rows      `json:"rows"`
	Dumps    []Dump           `json:"dumps"`
	Output   *File            `json:"output"`   // the first of Outputs
	Outputs  []File           `json:"outputs"`  // files written to targets, each once
	Uploads  []File           `json:"uploads"`  // sources sent to server files
	Actions  []Action         `json:"actions"`  // of a process, or the step's own import, export or action
	Commands []Command        `json:"commands"` // the times that its program was started
	Message  string           `json:"message"`
	Next     string           `json:"next"`
	Warnings []string         `json:"warnings"`
	Settled  []Settled        `json:"settled"`  // what became of starts whose answers were lost
	Reopened []Reopened       `json:"reopened"` // the times that it was not done after all

	Phases []Phase `json:"-"` // without gaps, from Started to Ended
	Waits  []Wait  `json:"-"`
	Failed []Try   `json:"-"` // tries that did not happen, before the last one

	Cancels []string `json:"-"` // what was asked of Anaplan, and what came of asking
}

// Model is a model by id and name.
type Model struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Action is an action of a process, or a step's own import, export or action.
type Action struct {
	Object  ledger.ObjectRef `json:"object"`
	Verdict ledger.Verdict   `json:"verdict"`
	Cause   ledger.Cause     `json:"cause"`
	Message string           `json:"message"`
	Rows    ledger.Rows      `json:"rows"`
	Texts   []string         `json:"texts"` // Anaplan's own, verbatim
	Started Time             `json:"started"`
	Seconds *float64         `json:"duration_s"`
}

// Command is one time that the program of a step was started.
type Command struct {
	Program string   `json:"program"` // without its arguments
	Started Time     `json:"started"`
	Ended   Time     `json:"ended"`     // null: it runs, or nothing says how it ended
	Code    *int     `json:"exit_code"` // null where it has none
	Last    []string `json:"last"`      // its last lines, unless it exited with 0
	Error   string   `json:"error"`     // it could not be started

	Why  ledger.Cause  `json:"-"` // the runner ended it: see [ledger.CommandEnded]
	Took time.Duration `json:"-"`
}

// Dump is a failure dump that was announced.
type Dump struct {
	Of       ledger.ObjectRef `json:"of"`   // the import that rejected the rows
	Path     string           `json:"path"` // "" if it could not be had
	Bytes    int64            `json:"bytes"`
	Rejected int64            `json:"rejected"`
	Warned   int64            `json:"warned"`
	Reasons  []ledger.Reason  `json:"reasons"` // the most frequent first
	Error    string           `json:"error"`

	First     *Rejected `json:"-"` // nil unless the job allows rows to be shown
	Unread    string    `json:"-"` // why First, though allowed, could not be read
	Task      string    `json:"-"`
	Requested int       `json:"-"` // how many rows the job allows
}

// Rejected is the beginning of a failure dump.
type Rejected struct {
	Columns []string
	Rows    []Row
	More    bool // there are further rows
}

// Row is a row that Anaplan rejected or loaded in part.
type Row struct {
	Status string   // E rejected, W loaded with a fault
	Cells  []string // in the order of the columns
	Line   string   // in the source; empty if it is not known
	Errors []string // Anaplan's own words
}

// File is a file that was moved.
type File struct {
	Path  string           `json:"path"`
	Bytes int64            `json:"bytes"`
	Rows  *int64           `json:"rows"`
	File  ledger.ObjectRef `json:"file"` // the server file

	// Of its transfer; null where an older program recorded it, and for a further target of
	// the same download.
	Wire    *int64   `json:"wire_bytes"`  // that went over the line: compressed, repeats included
	Seconds *float64 `json:"duration_s"`  // of the transfer
	Rate    *int64   `json:"bytes_per_s"` // Bytes in these seconds, as an average
}

// Wait is a time in which a step waited for the model, or for Anaplan.
type Wait struct {
	Since  time.Time
	Reason string
	Text   string
}

// Try is a try that did not happen.
type Try struct {
	Number int
	Cause  ledger.Cause
	Text   string
}

// Time is a moment. The zero value is not known, and null in JSON.
type Time struct{ time.Time }

// MarshalJSON writes RFC 3339 in UTC, to the millisecond.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.UTC().Truncate(time.Millisecond))
}
