package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// leaseEvery is the time between two tries to take a lease that somebody else has.
const leaseEvery = 5 * time.Second

// ownLease is how long a lease of ours may be held without us: one that expires does so
// within a minute.
const ownLease = 90 * time.Second

// own takes the leases of the job and of the run, before anything of the run is read or
// written. Somebody else's run of the job is waited for if overlap says so, but not longer
// than something may be started. What only cancels starts nothing: it needs the run alone.
func (r *run) own(ctx context.Context, id ledger.ID, overlap configs.Overlap) error {
	keys := []ledger.Key{ledger.JobKey(id.Job), ledger.RunKey(id)}
	if r.only {
		keys = keys[1:]
	}
	began := time.Now()
	for _, key := range keys {
		told, mine := false, false
		for {
			lease, err := r.claim(ctx, key, id, mine)
			if err == nil {
				r.leases = append(r.leases, lease)
				break
			}
			held, busy := errors.AsType[*ledger.HeldError](err)
			late := r.limits.past(r.limits.notAfter, r.now()) || r.limits.past(r.limits.deadline, r.now())
			// Our own, of a taking whose answer was lost, ends by itself.
			ours := busy && held.By.Runner == r.req.Runner && held.By.Run == id && time.Since(began) < ownLease
			if !busy || overlap != configs.OverlapWait && !ours || late {
				r.disown()
				return err
			}
			mine = mine || ours
			if !told {
				told = true
				r.logger().Warnf("waits: %s", held)
			}
			if !sleep(ctx, r.scaled(leaseEvery)) {
				r.disown()
				return context.Cause(ctx)
			}
		}
	}
	r.sweep(ctx)
	return nil
}

// claim takes a lease of the run or its job, after it has noted what people had wished of the
// run until then: that was for who ran it before. In this order no wish is missed that is left
// as soon as the run is ours. mine says that a taking whose answer was lost has made the lease
// ours: wishes since then are for this runner.
func (r *run) claim(ctx context.Context, key ledger.Key, id ledger.ID, mine bool) (ledger.Lease, error) {
	if mine {
		return r.lease(ctx, key, r.holder(""))
	}
	if err := r.read(ctx, func() error {
		w, err := r.Ledger.Asked(ctx, id)
		if err == nil && w != nil {
			r.earlier = *w
		}
		return err
	}); err != nil && !errors.Is(err, ledger.ErrNoRun) { // else it is to be created
		return nil, err
	}
	return r.lease(ctx, key, r.holder(""))
}

// lease takes a lease. What fails for another reason than that somebody has it is tried
// again for a moment, as an append is.
func (r *run) lease(ctx context.Context, key ledger.Key, by ledger.Holder) (lease ledger.Lease, err error) {
	err = r.read(ctx, func() (err error) {
		lease, err = r.Ledger.Take(ctx, key, by)
		return err
	})
	return lease, err
}

// read asks the ledger for something, and again for a moment when it fails: that of a
// disk, or of a connection, must not end a night.
func (r *run) read(ctx context.Context, ask func() error) error {
	began := time.Now()
	for try := 1; ; try++ {
		err := ask()
		_, held := errors.AsType[*ledger.HeldError](err)
		_, unknown := errors.AsType[*ledger.UnknownKindError](err)
		_, order := errors.AsType[*ledger.OrderError](err)
		switch {
		case err == nil, held, unknown, order, errors.Is(err, ledger.ErrClosed), errors.Is(err, ledger.ErrNoRun), ctx.Err() != nil:
			return err
		case !again(ctx, began, try):
			return &ledgerError{r.Ledger.Where(), err}
		}
	}
}

// disown gives the leases back, the last one first.
func (r *run) disown() {
	for _, lease := range slices.Backward(r.leases) {
		lease.Release()
	}
	r.leases = nil
}

// epoch is that of the run's lease.
func (r *run) epoch() int64 {
	if len(r.leases) == 0 {
		return 0
	}
	return r.leases[len(r.leases)-1].Epoch()
}

// ours says whether the run is certainly still ours: then alone its tasks are ours to end. The
// leases of its job and of models are for starting.
func (r *run) ours() error {
	if len(r.leases) == 0 {
		return nil
	}
	lease := r.leases[len(r.leases)-1]
	if err := lease.Check(); err != nil {
		return fmt.Errorf("%s: %w", lease.Key(), err)
	}
	return nil
}

// owned says whether the run, and its job with it, are certainly still ours.
func (r *run) owned() error {
	for _, lease := range r.leases {
		if err := lease.Check(); err != nil {
			return fmt.Errorf("%s: %w", lease.Key(), err)
		}
	}
	return nil
}

func (r *run) holder(step string) ledger.Holder {
	return ledger.Holder{Runner: r.req.Runner, Run: r.req.ID, Step: step, Since: r.now().UTC()}
}

// holding is what a step holds: its model, and the server files that its imports read.
type holding struct {
	model ledger.Lease
	files map[string]ledger.Lease // by id
}

// hold takes the leases that a try needs: of the model if it starts a task, then of the
// files. It waits for who has them, as for a model that is busy.
func (s *step) hold(ctx context.Context) (err error) {
	s.held = &holding{files: map[string]ledger.Lease{}}
	if s.plan.Verb.StartsTask() {
		if s.held.model, err = s.take(ctx, ledger.ModelKey(s.bound.Model)); err != nil {
			return err
		}
	}
	var files []string
	for _, in := range s.bound.Reads {
		if !slices.Contains(files, in.File.ID) {
			files = append(files, in.File.ID)
		}
	}
	slices.Sort(files)
	for _, file := range files {
		if s.held.files[file], err = s.take(ctx, ledger.FileKey(s.bound.Model, file, s.user())); err != nil {
			return err
		}
	}
	return nil
}

// release gives back what the step holds.
func (s *step) release() {
	if s.held == nil {
		return
	}
	for _, lease := range s.held.files {
		if lease != nil {
			lease.Release()
		}
	}
	if s.held.model != nil {
		s.held.model.Release()
	}
	s.held = nil
}

// check says whether everything that the step holds, and the run itself, is certainly
// still ours: else nothing is started and nothing uploaded.
func (s *step) check() error {
	if err := s.run.owned(); err != nil {
		return err
	}
	if s.held == nil {
		return nil
	}
	if s.held.model != nil {
		if err := s.held.model.Check(); err != nil {
			return fmt.Errorf("model %q: %w", s.bound.Model.Name, err)
		}
	}
	for file, lease := range s.held.files {
		if err := lease.Check(); err != nil {
			return fmt.Errorf("server file %s: %w", file, err)
		}
	}
	return nil
}

// waiting tells what the step waits for.
func (s *step) waiting(why reason, err error) error {
	s.progress(Progress{Phase: PhaseWait, Text: err.Error(), Done: -1})
	return s.record(ledger.Waiting{Reason: string(why), Text: err.Error()})
}

// take takes one lease.
func (s *step) take(ctx context.Context, key ledger.Key) (lease ledger.Lease, err error) {
	try := func() (err error) {
		if s.begun == nil { // else what became of a start is found out, however late
			if err := s.late(); err != nil {
				return err
			}
		}
		lease, err = s.run.lease(ctx, key, s.run.holder(s.plan.Name))
		return err
	}
	why := func(err error) reason {
		if _, ok := errors.AsType[*ledger.HeldError](err); ok {
			return reasonLease
		}
		return ""
	}
	err = s.run.waits(ctx, s.plan.Wait, try, why, s.waiting)
	return lease, err
}

// quiet waits until nothing that this ledger knows of may still run on the model: tasks of
// other runs, or of other steps, whose runner is gone or has left them running, and what
// this step started before a person wanted it to be done again. An upload
// waits only for those that may read its server file. The leases are held.
func (s *step) quiet(ctx context.Context) error {
	var starts []ledger.Start
	if err := s.run.read(ctx, func() (err error) {
		starts, err = s.run.Ledger.Unsettled(ctx, s.bound.Model.Host, s.bound.Model.ID)
		return err
	}); err != nil {
		return err
	}
	for _, start := range append(starts, s.overruled...) {
		if !s.plan.Verb.StartsTask() && !slices.ContainsFunc(start.Intent.Files, s.fills) {
			continue
		}
		if err := s.outlast(ctx, start); err != nil {
			return err
		}
	}
	return nil
}

// fills says whether the step fills a server file that a task reads.
func (s *step) fills(r ledger.FileRead) bool {
	return r.User == s.user() && slices.ContainsFunc(s.bound.Reads, func(in FileInput) bool { return in.File.ID == r.File })
}

// stillRuns says that a task of another run may run.
type stillRuns struct {
	start ledger.Start
	text  string
}

func (e *stillRuns) Error() string {
	return fmt.Sprintf("what run %q of job %q, step %q, started (%s %q, %s) %s", e.start.Run.Run, e.start.Run.Job, e.start.Step,
		e.start.Verb, e.start.Object.Name, e.start.Object.ID, e.text)
}

// outlast waits until a start of another run has ended in Anaplan, whatever became of it.
func (s *step) outlast(ctx context.Context, start ledger.Start) error {
	o := anaplan.Object{Model: s.model(), Kind: anaplan.Kind(start.Verb), ID: start.Object.ID}
	var gone time.Time
	seen := &sight{first: time.Now()}
	try := func() error {
		if err := s.late(); err != nil {
			return err
		}
		running, err := s.runsStill(ctx, o, start, seen)
		switch {
		case err == nil && running == "":
			return nil
		case err == nil:
			gone = time.Time{}
			return &stillRuns{start, running}
		case !refused(err):
			return err
		case gone.IsZero() && s.run.now().Sub(start.Intent.At) < knownSpan:
			gone = time.Now()
		case gone.IsZero(), time.Since(gone) >= goneLimit: // the object or the task is gone: nothing of it runs
			s.note(ledger.Warned{Text: fmt.Sprintf("%v is given up: %v", &stillRuns{start, "cannot be found"}, err)})
			return nil
		}
		return &stillRuns{start, "cannot be looked at: " + err.Error()}
	}
	why := func(err error) reason {
		if _, ok := errors.AsType[*stillRuns](err); ok {
			return reasonLeft
		}
		return s.why(ctx, err)
	}
	return s.run.waits(ctx, s.plan.Wait, try, why, s.waiting)
}

// sight is what was seen of a start whose task is not known.
type sight struct {
	first time.Time // when it was looked for first
	none  time.Time // when a list held no task at all, and every one since
}

// runsStill says in words what of a start may still run; empty: nothing. A list without any
// task is also what somebody gets who may not see them (anaplan-api.md 6.3): it takes two,
// as in settling.
func (s *step) runsStill(ctx context.Context, o anaplan.Object, start ledger.Start, seen *sight) (string, error) {
	i := start.Intent
	if i.Task != "" {
		t, err := s.tenant.Client.Task(ctx, o, i.Task)
		if err != nil || t.State.Terminal() {
			return "", err
		}
		return fmt.Sprintf("still runs: task %s, %s", i.Task, t.State), nil
	}
	gap, listed := s.run.scaled(settleGap), false
	for t, err := range s.tenant.Client.Tasks(ctx, o) {
		if err != nil {
			return "", err
		}
		listed = true
		if !t.State.Terminal() {
			seen.none = time.Time{}
			return fmt.Sprintf("may still run: task %s, %s", t.ID, t.State), nil
		}
	}
	switch {
	case listed:
		seen.none = time.Time{}
	case seen.none.IsZero():
		seen.none = time.Now()
	}
	if s.lostFor(i, seen.first) < gap && time.Since(seen.first) < gap || !listed && time.Since(seen.none) < gap {
		return "may not have arrived yet", nil
	}
	return "", nil
}
