package jobs

import (
	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Plan is what a run would do, in order. It is made without a login and is the same
// for the same job, byte for byte.
type Plan struct {
	Job   *configs.Job // expanded
	Steps []PlanStep   // in file order

	Selection Selection // of the steps, as it was given
}

// PlanStep is one step of a plan.
type PlanStep struct {
	configs.Step
	Index    int    // in Plan.Steps; shadows the index in the file
	Waits    []int  // indexes of the steps that must have ended before, sorted
	Named    []int  // those of Waits that `needs` names itself; the rest is file order
	Skip     bool   // enabled = false, or not selected by --only or --from
	SkipText string // why
}

// Bound is a plan with every name resolved to an id, and every import's file
// accounted for.
type Bound struct {
	Plan     *Plan
	Steps    []BoundStep // parallel to Plan.Steps
	Users    map[string]anaplan.User
	Warnings []string
}

// BoundStep is a step with its names resolved. That of a skipped step is empty.
type BoundStep struct {
	Connection string // name
	Model      ledger.ModelRef
	Object     ledger.ObjectRef
	Kind       anaplan.Kind       // empty for upload and download
	Reads      []FileInput        // server files to fill before the start, in order
	Imports    []ImportPart       // the imports that run: the step's own, or those of its process, in order
	Actions    []ledger.ObjectRef // everything in a process, in order; nil for the others
	Exports    []FileOutput       // server files that the step's task writes
	Blind      bool               // Anaplan does not tell which server files some of it reads
	Shares     []string           // ids of models that imports of this step read (import from another model)
	After      []int              // steps that must have ended before, whatever their end: server files allow no other order
	Prompts    []anaplan.MappingParameter
}

// FileInput is a server file that a step reads, and where its bytes come from.
type FileInput struct {
	File   ledger.ObjectRef
	Format data.Format
	Header []string // that Anaplan expects; nil when unknown

	Source  data.Source // without a name: Server or By
	WaitFor data.WaitFor
	After   configs.After
	Guard   Guard
	Server  bool // source = "server"
	By      int  // index of the earlier upload step that fills it; -1: this step
}

// Own says whether the step brings the bytes itself.
func (in FileInput) Own() bool { return in.Source.Name != "" }

// Shown is the source as it may be shown.
func (in FileInput) Shown() string { return data.Display(in.Source.Name) }

// Guard is what must hold of a source or of a download, and who says so.
type Guard struct {
	data.Guard
	Totals  string                // name of the control file; empty without one
	Command *configs.GuardCommand // looks at it when all else holds
}

// Zero says whether nothing is guarded.
func (g Guard) Zero() bool { return g.Guard.Zero() && g.Command == nil }

// ImportPart is one import that a step runs.
type ImportPart struct {
	Object ledger.ObjectRef
	File   string // id of the server file it reads; empty for imports from a model
	Accept configs.Accept
}

// FileOutput is an export's output and the places to write it to.
type FileOutput struct {
	Export  ledger.ObjectRef // the file bears the same id (anaplan-api.md 9.1)
	Targets []data.Target
	Guard   Guard
	Format  data.Format
	Header  []string // that it will have, as Anaplan says; nil when unknown
}
