package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// run is one run under way. The goroutine that called Runner.Run owns its state;
// a step's goroutine sends it what it wants recorded, and waits until it is.
type run struct {
	*Runner
	req   Request
	bound *Bound
	state ledger.State

	leases  []ledger.Lease // of the job, unless this only cancels, and of the run
	files   *fillings
	sources *origins
	ahead   *aheads
	outer   context.Context // ends with a signal; that of the steps may end before
	limits  limits
	late    atomic.Bool // a step has found that not_after has passed, whatever the clock says now
	warned  []string    // of the logins
	was     *Plan       // as recorded, of a continued run
	earlier ledger.Wish // the last one that was left before the run's lease was taken; zero if there was none
	by      string      // the person who decides, user@host
	only    bool        // to be cancelled: nothing starts, what may still run is watched to its end
	why     *halt       // if not because by says so

	recorded int64          // how far the ledger has it
	pending  []ledger.Event // applied to the state, and not recorded yet
	doubt    bool           // the last append failed, and may have been made all the same
	closed   bool           // the ledger takes nothing more: another runner writes, or it was closed
	trouble  error          // the first failure of the ledger: nothing more is started

	told    chan message // of the other goroutines, to the one that owns the state
	intents atomic.Int64
	watch   sync.Mutex
}

// message is a recordRequest, a stepEnd, an aheadEnd or moved. All of them come by one
// channel, so that they are taken in the order in which they were sent.
type message any

type recordRequest struct {
	step   string
	bodies []ledger.Body
	ahead  bool // of its turn: it may have ended
	reply  chan<- error
}

type stepEnd struct {
	step  int
	end   *ending
	crash *Crash // instead of an end
}

// Crash is a panic in the goroutine of a step. It is raised again in the one that called
// Runner.Run, who can log out and choose the exit code. What is recorded stays: a run
// without an end. Value may be anything, the data of rows too.
type Crash struct {
	Value any
	Stack []byte // where it happened
}

func (c *Crash) Error() string { return fmt.Sprintf("a step's goroutine panicked (%T)", c.Value) }

// tell gives the goroutine that owns the state a message.
func (r *run) tell(what string, m message) {
	if r.turn != nil {
		r.turn(what)
	}
	r.told <- m
}

func newRun(r *Runner, req Request) *run {
	return &run{Runner: r, req: req, told: make(chan message)}
}

// created is the first event of a run.
func created(r *Runner, req Request) (ledger.RunCreated, error) {
	job, err := EncodeJob(req.Plan.Job)
	if err != nil {
		return ledger.RunCreated{}, err
	}
	e := ledger.RunCreated{
		ID: req.ID, Version: r.Version,
		JobFile: req.Plan.Job.File, JobDigest: req.Plan.Job.Digest,
		Params: req.Params, Date: req.Date.Format(time.DateOnly), Timezone: req.Date.Location().String(),
		Job: job, Runner: req.Runner, Only: req.Plan.Selection.Only, From: req.Plan.Selection.From,
		Steps: plannedSteps(req.Plan),
	}
	return e, nil
}

// plannedSteps is a plan as the ledger knows it.
func plannedSteps(plan *Plan) []ledger.StepPlan {
	var steps []ledger.StepPlan
	for _, s := range plan.Steps {
		p := planned(s)
		for _, w := range s.Waits {
			p.Needs = append(p.Needs, plan.Steps[w].Name)
		}
		steps = append(steps, p)
	}
	return steps
}

// refuse ends a run whose names could not be resolved: nothing was started. Of a continued
// one a step may be unsure all the same.
func (r *run) refuse(ctx context.Context, why error) (ledger.State, error) {
	if h, ok := errors.AsType[*halt](why); ok {
		_ = r.record(ctx, "", h.asked) // kept as trouble
		return r.finish(ctx, ledger.Outcome(r.state))
	}
	if ctx.Err() != nil {
		r.stopAsked(ctx)
		return r.finish(ctx, ledger.Outcome(r.state))
	}
	// What nobody knows of a step is worse than that the run cannot go on.
	if slices.ContainsFunc(r.state.Steps, func(t ledger.StepState) bool { return t.End != nil && t.End.Verdict == ledger.Unsure }) {
		_ = r.record(ctx, "", ledger.Warned{Text: fmt.Sprintf("the run could not go on: %v", why)}) // kept as trouble
		return r.finish(ctx, ledger.Outcome(r.state))
	}
	// A call without this run's id would do again what is done already.
	end := explain(why).run()
	end.Next = strings.TrimPrefix(end.Next+"; to continue: "+ledger.ResumeCommand(r.req.ID), "; ")
	if end.Cause == ledger.CauseConfig {
		end.Next += ", with --job FILE if the job file was corrected"
	}
	return r.finish(ctx, end)
}

// finish records the end of the run. The error says that not everything is recorded.
func (r *run) finish(ctx context.Context, end ledger.RunEnded) (ledger.State, error) {
	r.warn(ctx)
	err := r.record(ctx, "", end)
	for range 2 { // the last chance
		if len(r.pending) == 0 {
			return r.state, nil
		}
		err = r.flush(ctx)
	}
	if len(r.pending) == 0 {
		return r.state, nil
	}
	return r.state, err
}

// warn records what a person should know of the logins, each text once.
func (r *run) warn(ctx context.Context) {
	if r.Warnings == nil {
		return
	}
	for _, text := range r.Warnings() {
		if !slices.Contains(r.warned, text) && !slices.Contains(r.state.Warnings, text) {
			r.warned = append(r.warned, text)
			_ = r.record(ctx, "", ledger.Warned{Text: text}) // kept as trouble
		}
	}
}

// mended says whether a ledger that has failed has recorded by now all that it was given.
func (r *run) mended(ctx context.Context) bool {
	_ = r.flush(ctx) // the first failure is known
	return len(r.pending) == 0
}

// unended is the end of a run that owes the moves of its sources, because the ledger does not
// record that its steps are done. It is not recorded: whoever continues the run makes them,
// and a run that has an end and is done is not continued.
func (r *run) unended() (ledger.State, error) {
	e, err := stored(ledger.Event{Seq: r.state.Seq + 1, At: r.now().UTC(), Body: ledger.Outcome(r.state)})
	if err == nil {
		err = r.state.Apply(e)
	}
	return r.state, errors.Join(r.trouble, err)
}

// steps runs the steps of a bound plan to the end.
func (r *run) steps(outer context.Context, b *Bound) (ledger.State, error) {
	if r.bound, r.outer = b, outer; r.sources == nil {
		r.sources = newOrigins(b, r.state)
	}
	ctx, halting := context.WithCancelCause(outer)
	defer halting(nil)
	if r.only {
		_ = r.record(ctx, "", r.cancelling().asked) // kept as trouble
	}
	st := r.standings()
	r.ahead = newAheads(r)
	var workers sync.WaitGroup
	r.ahead.look(ctx, &workers)
	running := 0
	stop := ctx.Done()
	// Each time round everything is looked at, whatever woke it.
	look, due := time.NewTimer(0), time.Now()
	defer look.Stop()
	for {
		if outer.Err() != nil {
			<-ctx.Done() // it follows in a moment: nothing more is begun in between
		}
		if now := time.Now(); !now.Before(due) {
			due = now.Add(r.scaled(lookEvery))
			look.Reset(r.scaled(lookEvery))
			if ctx.Err() == nil && !r.only {
				if h := r.wished(ctx); h != nil {
					halting(h)
				}
			}
		}
		if ctx.Err() != nil {
			stop = nil
			r.stopAsked(ctx)
		}
		if (r.limits.past(r.limits.notAfter, r.now()) || r.late.Load()) && r.state.Stop == nil {
			_ = r.record(ctx, "", ledger.StopAsked{Cause: ledger.CauseTime,
				Text: r.limits.key + " has passed: " + r.limits.notAfter.Format("2006-01-02 15:04 MST")}) // kept as trouble
		}
		if r.trouble != nil && r.state.Stop == nil {
			_ = r.record(ctx, "", ledger.StopAsked{Cause: ledger.CauseInternal, Text: r.trouble.Error()})
		}
		r.warn(ctx)
		if r.state.Stop != nil {
			r.ahead.stop()
		}
		r.ahead.limits()
		for r.advance(ctx, st, &workers, &running) {
		}
		r.ahead.launch(ctx, st, &workers)
		r.moves(&workers, &running)
		if running == 0 && len(r.pending) > 0 && !r.closed && slices.ContainsFunc(b.Plan.Steps, movesSources) && r.mended(ctx) {
			r.moves(&workers, &running)
		}
		if running == 0 && !r.ahead.busy() && !slices.ContainsFunc(st, func(s standing) bool { return s.held }) {
			break
		}
		select {
		case m := <-r.told:
			switch m := m.(type) {
			case recordRequest:
				m.reply <- r.asked(ctx, m)
			case aheadEnd:
				r.ahead.ended(m)
			case stepEnd:
				running--
				st[m.step] = r.stepEnded(ctx, m)
			case moved:
				running--
				r.recordMoved(ctx, m)
			}
		case <-stop:
			stop = nil
		case <-look.C:
		}
	}
	workers.Wait()
	r.ahead.close()
	if len(r.pending) > 0 && r.state.Closed() && !r.only && len(r.owed()) > 0 {
		return r.unended()
	}
	return r.finish(ctx, ledger.Outcome(r.state))
}

// advance makes the scheduler's next moves and says whether it has to be asked again.
func (r *run) advance(ctx context.Context, st []standing, workers *sync.WaitGroup, running *int) bool {
	again := false
	r.ahead.hold(st)
	for _, m := range schedule(r.bound, st, r.limit(), r.state.Stop, r.only || ctx.Err() == nil) {
		if m.end != nil {
			st[m.step].end = m.end
			r.end(ctx, m.step, m.end)
			again = true
			continue
		}
		if m.held {
			r.ahead.waits(m.step)
			continue
		}
		st[m.step].running = true
		*running++
		r.ahead.started(m.step)
		s := newStep(r, m.step) // here, where the state stands still
		workers.Go(func() {
			end := stepEnd{step: m.step}
			defer func() {
				if v := recover(); v != nil {
					end.crash = &Crash{v, debug.Stack()}
				}
				r.tell("end "+s.plan.Name, end)
			}()
			end.end = s.do(ctx)
		})
	}
	return again
}

// stepEnded takes in the end of a step.
func (r *run) stepEnded(ctx context.Context, e stepEnd) standing {
	if e.crash != nil {
		panic(e.crash)
	}
	if e.end.stopped {
		// It is not recorded as ended: it can be continued.
		return standing{end: &ledger.StepEnded{Verdict: ledger.Blocked}}
	}
	r.end(ctx, e.step, &e.end.StepEnded)
	return standing{end: &e.end.StepEnded, runs: e.end.Runs}
}

// asked records what a step wants recorded.
func (r *run) asked(ctx context.Context, q recordRequest) error {
	if q.ahead && slices.ContainsFunc(r.state.Steps, func(t ledger.StepState) bool { return t.Plan.Name == q.step && t.End != nil }) {
		return errors.New("the step has ended meanwhile")
	}
	return r.record(ctx, q.step, q.bodies...)
}

func (r *run) limit() int {
	if n := r.bound.Plan.Job.MaxParallel; n > 0 {
		return n
	}
	return 4
}

// end records the end of a step.
func (r *run) end(ctx context.Context, i int, end *ledger.StepEnded) {
	s := r.bound.Plan.Steps[i]
	name := s.Name
	if v := end.Verdict; !planned(s).Satisfied(*end) && v != ledger.Blocked && v != ledger.Unsure {
		var again []string
		if t := &r.state.Steps[i]; ranAndNotJudged(t) && !mayRun(t) && !rerunSafe(s) && (!end.Fetch || end.Cause == ledger.CauseGuard) {
			again = []string{"--again", name}
		}
		end.Next = strings.TrimPrefix(end.Next+"; to continue: "+ledger.ResumeCommand(r.req.ID, again...), "; ")
	}
	_ = r.record(ctx, name, *end) // kept as trouble
	r.progress(Progress{Step: name, Phase: PhaseEnd, Done: 1, End: end})
}

// stopAsked records, once, that the run was stopped from outside.
func (r *run) stopAsked(ctx context.Context) {
	if r.state.Stop != nil {
		return
	}
	e := ledger.StopAsked{Cause: ledger.CauseSignal, Text: context.Cause(ctx).Error()}
	if h, ok := errors.AsType[*halt](context.Cause(ctx)); ok {
		e = h.asked
	}
	if s, ok := errors.AsType[*Stopped](context.Cause(ctx)); ok {
		e.Signal = s.Signal
	}
	_ = r.record(ctx, "", e) // kept as trouble
}

// resolved is what a continued run needs to know of the names, and what a person
// should read.
func resolved(b *Bound) []ledger.Body {
	e := ledger.RunResolved{}
	for i, s := range b.Steps {
		e.Steps = append(e.Steps, ledger.StepObject{Step: b.Plan.Steps[i].Name, Object: s.Object, Model: s.Model})
		if u, ok := b.Users[s.Connection]; ok && e.User.ID == "" {
			e.User = ledger.User{ID: u.ID, Email: u.Email}
		}
	}
	bodies := []ledger.Body{e}
	for _, w := range b.Warnings {
		bodies = append(bodies, ledger.Warned{Text: w})
	}
	return bodies
}

func (r *run) progress(p Progress) {
	if r.Watch == nil {
		return
	}
	r.watch.Lock()
	defer r.watch.Unlock()
	r.Watch(p)
}
