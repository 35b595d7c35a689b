package configs

import (
	"reflect"
	"time"
)

// Job is what one job file says, with values still as written ("${…}") until
// [Job.Expand] has replaced them. It is plain data: it may be printed, compared and
// stored, and it is not changed after it was returned.
type Job struct {
	File   string // path as given, for messages
	Dir    string // folder to which relative paths in the file are relative
	Digest string // SHA-256 of the file's bytes, hex

	Name        string
	Connection  string // name in connections.toml; empty when Inline is set
	Inline      *Connection
	Timezone    string // IANA name; empty: the machine's
	Overlap     Overlap
	NotAfter    string        // "15:04", in Timezone: nothing starts after it; empty: no limit
	Deadline    string        // "15:04", in Timezone: what runs then is cancelled; empty: no limit
	MaxParallel int           // steps at a time, on different models; default 4
	Keep        time.Duration // how long its runs are kept; 0: the program's default
	Calendar    string        `json:",omitempty"` // path of a file of holidays; empty: there are none
	Holidays    []string      `json:",omitempty"` // after Expand: its dates, as 2026-12-25, sorted
	Workspace   Ref
	Model       Ref
	Params      []Param // in file order
	Defaults    Step    // only the keys that a step may take from [defaults]
	Steps       []Step  // in file order; after Expand with every for_each unfolded
	OnEnd       *OnEnd

	// Warnings are things that are allowed and probably not meant.
	Warnings Problems

	Positions Positions // of the keys above, "name", "anaplan.model", "params.period.pattern"
}

// Overlap says what happens when the same job already runs.
type Overlap string

// The values of Overlap.
const (
	OverlapRefuse Overlap = "refuse"
	OverlapWait   Overlap = "wait"
	OverlapSkip   Overlap = "skip"
)

// Ref names one of Anaplan's objects: by id, by name, or by both, when the id decides
// and another name is only a warning.
type Ref struct {
	ID   string
	Name string
}

// Zero says whether nothing was written.
func (r Ref) Zero() bool { return r == Ref{} }

// Param is a value that the caller gives with --param.
type Param struct {
	Name     string
	Default  string
	HasValue bool // Default was written, even if empty
	Required bool
	Pattern  string   // anchored regular expression, RE2
	Choices  []string // allowed values, all when empty
	Help     string
}

// Verb is what a step does.
type Verb string

// The verbs of a step.
const (
	Import   Verb = "import"
	Export   Verb = "export"
	Process  Verb = "process"
	Action   Verb = "action"
	Upload   Verb = "upload"
	Download Verb = "download"
	Command  Verb = "command"
)

// Verbs lists every verb in the order of the documentation.
var Verbs = []Verb{Import, Export, Process, Action, Upload, Download, Command}

// StartsTask says whether the verb runs something on Anaplan's side.
func (v Verb) StartsTask() bool { return v == Import || v == Export || v == Process || v == Action }

// When says after which outcome of the run so far a step is reached.
type When string

// The values of When.
const (
	WhenOK     When = "ok"
	WhenFailed When = "failed"
	WhenAlways When = "always"
)

// OnOutcome says whether the run goes on after a step that is not ok.
type OnOutcome string

// The values of OnOutcome.
const (
	Stop     OnOutcome = "stop"
	Continue OnOutcome = "continue"
)

// Step is one entry of a job. In [Job.Defaults] only the keys that steps share are set.
type Step struct {
	Index    int               // of the [[step]] in the file, from 0
	Name     string            // unique in the job; "spokes[EMEA]" after Expand
	Base     string            // Name without the bracket
	ForEach  []EachAxis        // empty after Expand
	Each     map[string]string // the values of this unfolding, by axis
	Verb     Verb
	Object   Ref
	Needs    []string // step names; a Base name stands for all its unfoldings
	NeedsSet bool     // needs was written, even as []
	Enabled  bool
	When     When

	Connection string // overrides Job.Connection
	Workspace  Ref    // overrides Job.Workspace
	Model      Ref    // overrides Job.Model

	Source  *Source // import, upload
	Targets []Target
	Prompts []Prompt // in file order
	Guard   Guard
	Accept  Accept
	Argv    []string     `json:",omitempty"` // command: the program and its arguments, without a shell
	Files   []StepFile   // process: by server file
	Actions []StepAction // process: by action inside

	Delete bool // a delete action is called one
	Stale  bool // download: of an export that did not run in this run

	OnFailure OnOutcome
	OnPartial OnOutcome
	Retry     Retry
	Rerun     string   // "safe" | "ask"; empty: the verb's default
	RerunOn   []string // failures (anaplan-api.md 11.5) after which it runs again by itself
	Timeout   time.Duration
	OnTimeout string // "cancel" | "detach"; empty: the verb's default
	OnStop    string // "cancel" | "detach"; empty: the signal's default
	WarnAfter time.Duration
	Wait      Wait
	// SettleWait is how long to look for what became of a start whose answer was lost,
	// while Anaplan cannot tell; default 2h. CancelWait is how long to watch a task that
	// Anaplan was asked to cancel; default 15m. Both are 0 for a verb that starts no task.
	SettleWait time.Duration
	CancelWait time.Duration
	Locale     string   // of the task; default en_US (anaplan-api.md 11.1)
	Transfer   Transfer `json:",omitzero"`
	Ahead      *bool    `json:",omitempty"` // false: its uploads wait for its turn; default true
	// ShowRejected is how many rejected rows of each failure dump a report may show;
	// default 0, because they are people's data.
	ShowRejected int

	Positions Positions // of the keys above, "import", "guard.min_rows", "files.\"rates.csv\".source"
}

// RerunSafe says whether a continued run may do the step's action again by itself, after
// it ended failed, partial, cancelled or timed out. Without the key it is so for import
// and export: a process, an action or a command may append, copy, or have half happened.
// What only moves a file is always safe.
func (s Step) RerunSafe() bool {
	if s.Rerun != "" {
		return s.Rerun == "safe"
	}
	return s.Verb != Process && s.Verb != Action && s.Verb != Command
}

// EachAxis is one key of for_each with its values.
type EachAxis struct {
	Name   string
	Values []string
}

// Source is where the bytes of a server file come from.
type Source struct {
	// Path is a path, a pattern, or a URL (https, s3, gs, azblob); absolute, or as written
	// before Expand; "-" is stdin (exec and upload only).
	Path     string
	Server   bool    // source = "server": what the model already holds
	Pick     Pick    `json:",omitempty"` // which of the files that a pattern matches
	Member   string  `json:",omitempty"` // of a ZIP archive with several files
	Encoding string  `json:",omitempty"` // of the source, lower case; empty: recognised
	WaitFor  WaitFor `json:",omitzero"`
	After    After   `json:",omitzero"`
}

// Pick says which of the files that a pattern matches are the source.
type Pick string

// The values of Pick.
const (
	PickOne    Pick = ""       // there must be just one
	PickNewest Pick = "newest" // the one that was written last
	PickAll    Pick = "all"    // all, sorted by name, joined; the header of the first
)

// WaitFor is how long to wait for a source that is not there yet.
type WaitFor struct {
	Path  string        // of a marker file; empty: the source itself
	Limit time.Duration // 0: not at all
}

// After is what becomes of the files of a source when all steps that read it have ended.
// Each is a folder to move them to, or its URL, which ends in / before a query; empty:
// they stay. [Moved] gives the name that a file has there. After Expand each is absolute,
// and in the same store as the source.
type After struct {
	OK   string // after the verdict ok
	Else string // after any other end
}

// Target is where the bytes of a download go.
type Target struct {
	Path string // a path, or a URL (s3, gs, azblob); compressed by its ending: .gz .zst .zip
	Keep int    `json:",omitempty"` // how many previous ones are kept, as PATH.1, PATH.2 …
	Done string `json:",omitempty"` // path or URL of a marker, written when every target of the step is in place
}

// Transfer is how a step's bytes are moved.
type Transfer struct {
	ChunkSize   int64  // bytes before compression; 0: by the size of the file
	Connections int    // chunks on their way at a time; 0: 4
	Gzip        string // "auto", "off", or a level "1" to "9"; empty: auto
}

// Prompt answers one of Anaplan's mapping parameters ("prompt me at import").
type Prompt struct {
	Dimension string // entityType
	Item      string // entityName
}

// StepFile gives one server file of a process its source, or the output of an export in
// it its targets.
type StepFile struct {
	File    Ref
	Source  Source
	Targets []Target `json:",omitempty"`
	Guard   Guard
}

// StepAction says more about one action inside a process.
type StepAction struct {
	Action  Ref
	Accept  *Accept // nil: the step's
	Prompts []Prompt
}

// Guard is what must hold before a source is uploaded, or before a download is put in
// place. What is nil or empty is not guarded.
type Guard struct {
	MinRows     *int64 // data rows, without the header
	MaxRows     *int64
	MinSize     *int64        `json:",omitempty"` // bytes, of the text: unpacked
	MaxAge      *Age          // of the file's modification time
	Header      *bool         // the first row must be the one that Anaplan says
	Names       []string      `json:",omitempty"` // the first row must be this one: header = ["…"]
	Fields      int           `json:",omitempty"` // of every row: columns = 12
	Columns     []string      `json:",omitempty"` // must be among the first row's, in any order: columns = ["…"]
	Unchanged   string        `json:",omitempty"` // "skip" | "run" | "refuse": when the last run that was ok had the same bytes
	CompareLast *float64      `json:",omitempty"` // percent by which the rows may differ from those of the last run that was ok
	Control     *Control      `json:",omitempty"`
	Command     *GuardCommand `json:",omitempty"`
}

// Control names a control file that the maker of a source writes beside it.
type Control struct {
	Path string            // or URL
	Rows string            // key of the number of data rows; empty: "rows"
	Sums map[string]string `json:",omitempty"` // column to the key of its sum; nil: every key "sum COLUMN" of the file
}

// GuardCommand is a program that looks at the file: 0 passes.
type GuardCommand struct {
	Argv    []string
	Timeout time.Duration // default 10m
}

// Zero says whether nothing is guarded.
func (g Guard) Zero() bool { return reflect.ValueOf(g).IsZero() }

// Limit is a number of rows, or a share of all rows that Anaplan counted.
type Limit struct {
	Rows    int64
	Percent float64
	Share   bool // Percent counts, not Rows
}

// Accept is what a step may reject and still be ok. Nil fields take the default:
// failed 0, warnings 0, ignored 100%, min_loaded 1, unexplained false.
type Accept struct {
	Failed      *Limit
	Warnings    *Limit
	Ignored     *Limit
	MinLoaded   *int64
	Unexplained *bool
}

// Retry repeats what did not happen; never an action that ran.
type Retry struct {
	Tries int           // default 3
	Wait  time.Duration // before the second try; default 30s
}

// Wait is how long a step waits before its task has begun, by reason.
type Wait struct {
	Busy        *time.Duration // default 2h
	Maintenance *time.Duration // default 6h
	Closed      *time.Duration // default 30m
	Locked      *time.Duration // default 0s
}

// OnEnd is a program started when the run has ended, with the result JSON on stdin.
type OnEnd struct {
	Command []string
	When    []string // verdicts; empty: always
	Timeout time.Duration
}

// Position is a place in a file, both from 1; the zero value is unknown.
type Position struct {
	Line, Column int
}

// Positions finds keys by their dotted path.
type Positions map[string]Position
