package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	lost  error // the ledger failed: nothing more is started

	records chan recordRequest
	ends    chan stepEnd
	intents atomic.Int64
	watch   sync.Mutex
}

type recordRequest struct {
	step   string
	bodies []ledger.Body
	reply  chan<- error
}

type stepEnd struct {
	step int
	end  *ledger.StepEnded // nil: it did not end, the run was stopped
}

func newRun(r *Runner, req Request) *run {
	return &run{Runner: r, req: req, records: make(chan recordRequest), ends: make(chan stepEnd)}
}

// created is the first event of a run.
func created(r *Runner, req Request) (ledger.RunCreated, error) {
	job, err := json.Marshal(req.Plan.Job)
	if err != nil {
		return ledger.RunCreated{}, fmt.Errorf("encode the job: %w", err)
	}
	e := ledger.RunCreated{
		ID: req.ID, Version: r.Version,
		JobFile: req.Plan.Job.File, JobDigest: req.Plan.Job.Digest,
		Params: req.Params, Date: req.Date.Format(time.DateOnly), Timezone: req.Date.Location().String(),
		Job: job, Runner: req.Runner,
	}
	for _, s := range req.Plan.Steps {
		p := planned(s)
		for _, w := range s.Waits {
			p.Needs = append(p.Needs, req.Plan.Steps[w].Name)
		}
		e.Steps = append(e.Steps, p)
	}
	return e, nil
}

// record appends events and applies them to the state. Only the owner of the state
// calls it. A failed append is tried again for a short while: the disk may be full for
// a moment, and what is known already must not be lost.
func (r *run) record(ctx context.Context, step string, bodies ...ledger.Body) error {
	if r.lost != nil {
		return r.lost
	}
	at := r.now().UTC()
	events := make([]ledger.Event, len(bodies))
	for i, b := range bodies {
		events[i] = ledger.Event{At: at, Step: step, Body: b}
	}
	ctx = context.WithoutCancel(ctx)
	var err error
	for wait := 100 * time.Millisecond; wait < 2*time.Second; wait *= 2 {
		var seq int64
		seq, err = r.Ledger.Append(ctx, r.req.ID, r.state.Seq, 0, events...)
		if err == nil {
			for i := range events {
				events[i].Seq = seq - int64(len(events)-1-i)
			}
			break
		}
		if errors.Is(err, ledger.ErrConflict) || errors.Is(err, ledger.ErrClosed) {
			break
		}
		time.Sleep(wait)
	}
	if err != nil {
		r.lost = fmt.Errorf("record in ledger %s: %w", r.Ledger.Where(), err)
		return r.lost
	}
	for _, e := range events {
		if err := r.state.Apply(e); err != nil {
			r.lost = fmt.Errorf("ledger %s: %w", r.Ledger.Where(), err)
			return r.lost
		}
		r.log(e)
	}
	return nil
}

// refuse ends a run whose names could not be resolved: nothing was started.
func (r *run) refuse(ctx context.Context, why error) (ledger.State, error) {
	end := explain(why)
	if err := r.record(ctx, "", end.run()); err != nil {
		return r.state, err
	}
	return r.state, nil
}

// steps runs the steps of a bound plan to the end.
func (r *run) steps(ctx context.Context, b *Bound) (ledger.State, error) {
	r.bound = b
	if err := r.record(ctx, "", resolved(b)...); err != nil {
		return r.state, err
	}
	st := make([]standing, len(b.Plan.Steps))
	var workers sync.WaitGroup
	running := 0
	stop := ctx.Done()
	for {
		if ctx.Err() != nil && r.state.Stop == nil {
			stop = nil
			r.stopAsked(ctx)
		}
		for r.advance(ctx, st, &workers, &running) {
		}
		if running == 0 {
			break
		}
		select {
		case q := <-r.records:
			q.reply <- r.record(ctx, q.step, q.bodies...)
		case e := <-r.ends:
			running--
			st[e.step] = standing{end: e.end}
			if e.end != nil {
				r.end(ctx, e.step, e.end)
			} else {
				st[e.step].end = &ledger.StepEnded{Verdict: ledger.Blocked} // not recorded: it can be continued
			}
		case <-stop:
			stop = nil // recorded at the top
		}
	}
	workers.Wait()
	if err := r.record(ctx, "", ledger.Outcome(r.state)); err != nil {
		return r.state, err
	}
	return r.state, r.lost
}

// advance makes the scheduler's next moves and says whether it has to be asked again.
func (r *run) advance(ctx context.Context, st []standing, workers *sync.WaitGroup, running *int) bool {
	stopped := r.state.Stop
	if r.lost != nil {
		stopped = &ledger.StopAsked{Cause: ledger.CauseInternal, Text: r.lost.Error()}
	}
	again := false
	for _, m := range schedule(r.bound, st, r.limit(), stopped) {
		if m.end != nil {
			st[m.step].end = m.end
			r.end(ctx, m.step, m.end)
			again = true
			continue
		}
		st[m.step].running = true
		*running++
		workers.Go(func() {
			r.ends <- stepEnd{m.step, newStep(r, m.step).do(ctx)}
		})
	}
	return again
}

func (r *run) limit() int {
	if n := r.bound.Plan.Job.MaxParallel; n > 0 {
		return n
	}
	return 4
}

// end records the end of a step.
func (r *run) end(ctx context.Context, i int, end *ledger.StepEnded) {
	name := r.bound.Plan.Steps[i].Name
	_ = r.record(ctx, name, *end) // kept in r.lost
	r.progress(Progress{Step: name, Phase: PhaseEnd, Done: 1, End: end})
}

// stopAsked records that the run was stopped from outside.
func (r *run) stopAsked(ctx context.Context) {
	e := ledger.StopAsked{Cause: ledger.CauseSignal, Text: context.Cause(ctx).Error()}
	if s, ok := errors.AsType[*Stopped](context.Cause(ctx)); ok {
		e.Signal = s.Signal
	}
	_ = r.record(ctx, "", e)
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
