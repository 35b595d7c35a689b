package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Tenant is a login at Anaplan, as a connection describes it.
type Tenant struct {
	Client *anaplan.Client
	Host   string // of the API, with port: part of the name of a model

	// Exclusive says that nobody else uses this login: the only new task after a start
	// whose answer was lost is then ours.
	Exclusive bool

	// Line is the bandwidth of everything that is moved with this login. Optional.
	Line *transfer.Line

	// Retry is how often, and when, a chunk is asked for again whose bytes broke off.
	// What else is repeated the client does by itself.
	Retry retry.Policy
}

// Connect gives the tenant of a connection by its name in the job, "" for the job's
// own. It is called whenever a step needs its tenant, from several goroutines, and
// should give the same one each time.
type Connect func(ctx context.Context, connection string) (*Tenant, error)

// Runner runs plans. Its fields are not changed while a run is under way. The zero
// value of an optional field works.
type Runner struct {
	Ledger  ledger.Ledger
	Connect Connect
	// Warnings is what a person should know of the logins that were used until now, with what it
	// said before; each text is recorded once. Optional.
	Warnings func() []string
	Stores   *data.Stores     // optional: where sources and targets lie besides the local file system
	Dir      string           // where failure dumps lie, in a folder for each run
	Log      *logrus.Logger   // optional; a line an event
	Watch    func(Progress)   // optional; called from one goroutine at a time, must not block
	Now      func() time.Time // optional: time.Now
	Version  string
	// Memory is what all transfers take together. Optional: each takes its own.
	Memory *transfer.Budget
	// Secrets are the names of environment variables with further secrets: programs of a job
	// do not see them.
	Secrets []string
	// Exec runs the programs of a job; optional: RunProgram.
	Exec func(context.Context, Program) (Exit, error)

	// Speed is how much faster than Anaplan a simulator is: polls, and the times between two
	// looks at what is waited for or settled, are so much shorter. Optional: 1.
	Speed float64

	// turn puts in an order what is told to the owner of a run's state at one moment of
	// virtual time. Tests alone set it.
	turn func(what string)
}

// Progress tells what a step is doing at the moment, for progress bars and lines.
type Progress struct {
	Step  string
	Phase Phase
	Text  string         // Anaplan's currentStep, or what is waited for
	Done  float64        // 0..1; negative: unknown
	Moved transfer.Moved // of a transfer: told again about once a second, also while nothing moves
	End   *ledger.StepEnded
	Ahead bool // a server file is filled before the step's turn; PhaseEnd then ends that alone, without an End
}

// Phase is a part of a step's life.
type Phase string

// The phases, in order. Not every step has all of them; what was downloaded is checked too.
const (
	PhaseWait     Phase = "waiting"
	PhaseCheck    Phase = "checking"
	PhaseUpload   Phase = "uploading"
	PhaseQueue    Phase = "queued"
	PhaseRun      Phase = "running"
	PhaseDump     Phase = "fetching dumps"
	PhaseDownload Phase = "downloading"
	PhaseEnd      Phase = "ended"
)

// Request is one run to be made.
type Request struct {
	ID     ledger.ID
	Plan   *Plan
	Params map[string]string
	Date   time.Time // run.date; its location is the run's time zone
	Runner ledger.Runner
}

// Stopped is the cause with which the context of a run is cancelled from outside:
//
//	ctx, stop := context.WithCancelCause(ctx)
//	stop(&jobs.Stopped{Signal: "SIGINT"})
//
// SIGINT asks Anaplan to cancel what runs; every other signal leaves it running and
// records the task ids. Nothing new starts. Run returns within 4 s.
type Stopped struct {
	Signal string // "SIGINT", "SIGTERM", "SIGHUP"
}

func (s *Stopped) Error() string { return fmt.Sprintf("stopped by %s", s.Signal) }

// Run makes a new run: it records it, resolves every name, and runs the steps. What
// happened, failures too, is in the returned state. It takes the leases of the job and the
// run; if somebody runs the job, the error is a *ledger.HeldError, unless the job's overlap
// says to wait.
//
// The error is not nil only if the ledger could not record. ErrConflict of package ledger:
// a run of this id is there already; nothing was started, and the state is empty, as it is
// whenever the run could not be created. A ledger that fails later stops the run: what was
// started is watched to its end, nothing more is started, the state holds what is known,
// and the error says that not all of it is recorded.
func (r *Runner) Run(ctx context.Context, req Request) (ledger.State, error) {
	run := newRun(r, req)
	created, err := created(r, req)
	if err != nil {
		return ledger.State{}, err
	}
	if run.limits, err = limitsOf(req.Plan.Job, r.now(), req.Date.Location()); err != nil {
		return ledger.State{}, err
	}
	if err := run.own(ctx, req.ID, req.Plan.Job.Overlap); err != nil {
		return ledger.State{}, fmt.Errorf("create run %q: %w", req.ID.Run, err)
	}
	defer run.disown()
	if err := run.record(ctx, "", created); err != nil {
		return ledger.State{}, fmt.Errorf("create run %q: %w", req.ID.Run, err)
	}
	run.files = newFillings(run.state)
	bound, err := run.resolve(ctx)
	if err != nil {
		return run.refuse(ctx, err)
	}
	_ = run.record(ctx, "", resolved(bound)...) // kept as trouble: then nothing starts
	return run.steps(ctx, bound)
}

// scaled is a time of Anaplan's in that of the simulator.
func (r *Runner) scaled(d time.Duration) time.Duration {
	if r.Speed > 0 {
		return time.Duration(float64(d) / r.Speed)
	}
	return d
}

func (r *Runner) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}
