package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

const (
	// aheadParallel is how many uploads are made ahead of need at a time: one mostly fills the
	// line, another one while it reads its source or waits for an answer. With a lower
	// max_parallel they are no more than that.
	aheadParallel = 2
	// aheadStall is for how long an upload ahead of need may move nothing.
	aheadStall = 10 * time.Minute
	// aheadLimit is for how long the uploads of a model, while they go on, may keep its first
	// step from starting. It is less before not_after or a deadline.
	aheadLimit = time.Hour
	// aheadGrace is for how long an upload that was told to end is waited for: it may read a
	// source that hangs.
	aheadGrace = 5 * time.Second
)

// aheads are the uploads of a run that may be made before their steps' turns. The goroutine
// that owns the state of the run owns them, but for what is below mu.
type aheads struct {
	run      *run
	all      []*early // in the order in which they are made
	looking  bool     // at the sources, as they are when the runner begins
	underWay int
	worked   map[string]bool      // models, by id, in which a step of this runner has started
	wanted   map[string]time.Time // models whose next step waits for their uploads, since when
	released map[string]bool      // models whose steps have waited for long enough
	stopped  bool

	mu     sync.Mutex
	looked map[aheadOf]lookedAt
}

// early are the uploads of one step, that may be made ahead of need.
type early struct {
	step   int
	behind []int    // steps that must have ended before
	stamps []string // of what the step reads, when the runner began; nil: something is not there
	over   bool     // they were made, or are left to the step's turn

	cancel  context.CancelCauseFunc // nil unless it is under way
	dropped time.Time               // when it was told to end

	mu    sync.Mutex
	moved time.Time // when something of it last went on
}

type aheadOf struct {
	step int
	file string
}

// lookedAt is a source that stood its guard, as it was then.
type lookedAt struct {
	*source
	stamp string
}

// aheadEnd says that an upload has ended, or that the sources were looked at.
type aheadEnd struct {
	of    *early // nil: the sources
	err   error
	crash *Crash
}

// newAheads finds the uploads of a bound plan that may be made ahead of need. A run that is
// only to be cancelled has none.
func newAheads(r *run) *aheads {
	a := &aheads{run: r, worked: map[string]bool{}, wanted: map[string]time.Time{}, released: map[string]bool{},
		looked: map[aheadOf]lookedAt{}, stopped: r.only}
	if r.only {
		return a
	}
	b := r.bound
	ranks := aheadRanks(b)
	most := map[string]int{}
	for i, s := range b.Steps {
		if r.state.Steps[i].End == nil {
			most[s.Model.ID] = max(most[s.Model.ID], ranks[i])
		}
	}
	for _, i := range b.Plan.Order() {
		if b.Plan.Steps[i].Skip || r.state.Steps[i].End != nil {
			continue
		}
		if ahead := AheadOf(b, i); !ahead.None && (ahead.Why == "" || len(ahead.Behind) > 0) {
			a.all = append(a.all, &early{step: i, behind: ahead.Behind})
		}
	}
	model := func(e *early) string { return b.Steps[e.step].Model.ID }
	slices.SortStableFunc(a.all, func(e, f *early) int {
		return cmp.Or(cmp.Compare(most[model(f)], most[model(e)]), cmp.Compare(model(e), model(f)))
	})
	return a
}

// look takes down what the sources are, beside the owner: a file system may hang.
func (a *aheads) look(ctx context.Context, workers *sync.WaitGroup) {
	if len(a.all) == 0 {
		return
	}
	a.looking = true
	workers.Go(func() {
		for _, e := range a.all {
			e.stamps = a.run.stampsOf(ctx, a.run.bound.Steps[e.step].Reads)
		}
		a.run.tell("the sources were looked at", aheadEnd{})
	})
}

// busy says whether something of it is still to be waited for.
func (a *aheads) busy() bool { return a.looking || a.underWay > 0 }

// may says whether the uploads of a step may be made now: whoever reads the same files before
// has ended, and nothing may run in the model, where file calls may hang then
// (anaplan-api.md 8.3).
func (a *aheads) may(st []standing, e *early) bool {
	b := a.run.bound
	if e.over || e.cancel != nil || a.stopped || a.looking || a.released[b.Steps[e.step].Model.ID] {
		return false
	}
	for j := range st {
		if b.Steps[j].Model.ID == b.Steps[e.step].Model.ID && (st[j].running || st[j].begun && st[j].end == nil) {
			return false
		}
	}
	return holderOf(b, st, e.step) < 0 && !slices.ContainsFunc(e.behind, func(j int) bool { return st[j].end == nil })
}

// hold says of every step whether its start waits for uploads of its model: for those under
// way, and, as long as no step has started there, for those that may be made.
func (a *aheads) hold(st []standing) {
	held := map[string]bool{}
	for _, e := range a.all {
		switch id := a.run.bound.Steps[e.step].Model.ID; {
		case e.over:
			// What was told to end has the lease of its file for a moment more.
			held[id] = held[id] || e.cancel != nil && time.Since(e.dropped) < aheadGrace
		case st[e.step].end != nil: // it will not be needed
			a.drop(e)
		case e.cancel != nil, !a.worked[id] && (a.looking && len(e.behind) == 0 || a.may(st, e)):
			held[id] = true
		}
	}
	for i := range st {
		st[i].held = held[a.run.bound.Steps[i].Model.ID]
	}
}

// drop leaves an upload to its step's turn. What of it is under way ends at once.
func (a *aheads) drop(e *early) {
	e.over = true
	if e.cancel != nil && e.dropped.IsZero() {
		e.dropped = time.Now()
		e.cancel(errNotNeeded)
	}
}

var errNotNeeded = errors.New("it has not been made in time")

// stop ends everything.
func (a *aheads) stop() {
	if a.stopped {
		return
	}
	a.stopped = true
	for _, e := range a.all {
		a.drop(e)
	}
}

// waits takes in that a step would start but for the uploads of its model.
func (a *aheads) waits(step int) {
	if id := a.run.bound.Steps[step].Model.ID; a.wanted[id].IsZero() {
		a.wanted[id] = time.Now()
	}
}

// started takes in that a step has started.
func (a *aheads) started(step int) {
	id := a.run.bound.Steps[step].Model.ID
	a.worked[id] = true
	delete(a.wanted, id)
}

// limits ends what hangs, and what has kept a step from starting for too long: then the step
// goes first.
func (a *aheads) limits() {
	moved := map[string]time.Time{}
	for _, e := range a.all {
		if e.cancel == nil || e.over {
			continue
		}
		last := e.last()
		if time.Since(last) >= aheadStall {
			a.drop(e)
		}
		id := a.run.bound.Steps[e.step].Model.ID
		if last.After(moved[id]) {
			moved[id] = last
		}
	}
	for id, since := range a.wanted {
		stalled := since
		if moved[id].After(since) {
			stalled = moved[id]
		}
		if time.Since(stalled) < aheadStall && time.Since(since) < a.limit() {
			continue
		}
		delete(a.wanted, id)
		a.released[id] = true
		for _, e := range a.all {
			if a.run.bound.Steps[e.step].Model.ID == id {
				a.drop(e)
			}
		}
	}
}

// limit is aheadLimit, or a quarter of the time that is left for starting anything.
func (a *aheads) limit() time.Duration {
	limit := aheadLimit
	for _, at := range []time.Time{a.run.limits.notAfter, a.run.limits.deadline} {
		if !at.IsZero() {
			limit = min(limit, at.Sub(a.run.now())/4)
		}
	}
	return limit
}

// launch begins the uploads that may be made now, as many as go at a time. The state of the
// run stands still meanwhile.
func (a *aheads) launch(ctx context.Context, st []standing, workers *sync.WaitGroup) {
	for _, e := range a.all {
		if a.underWay >= min(aheadParallel, a.run.limit()) {
			return
		}
		if !a.may(st, e) {
			continue
		}
		a.begin(ctx, e, workers)
	}
}

func (a *aheads) begin(ctx context.Context, e *early, workers *sync.WaitGroup) {
	ctx, e.cancel = context.WithCancelCause(ctx)
	e.went()
	a.underWay++
	s := newStep(a.run, e.step)
	workers.Go(func() {
		end := aheadEnd{of: e}
		defer func() {
			if v := recover(); v != nil {
				end.crash = &Crash{v, debug.Stack()}
			}
			a.run.tell("end ahead "+s.plan.Name, end)
		}()
		end.err = s.fillAhead(ctx, e)
	})
}

// ended takes in the end of an upload. That it failed is no verdict: its step does it at its
// turn, and says then what is wrong.
func (a *aheads) ended(end aheadEnd) {
	if end.crash != nil {
		panic(end.crash)
	}
	if end.of == nil {
		a.looking = false
		for _, e := range a.all {
			e.over = e.over || e.stamps == nil
		}
		return
	}
	e := end.of
	e.cancel(nil)
	e.cancel, e.over = nil, true
	a.underWay--
	name := a.run.bound.Plan.Steps[e.step].Name
	if end.err != nil {
		a.run.logger().Debugf("step %q uploads at its turn, not ahead of it: %v", name, end.err)
	}
	a.run.progress(Progress{Step: name, Phase: PhaseEnd, Ahead: true, Done: 1})
}

func (e *early) went() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.moved = time.Now()
}

func (e *early) last() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.moved
}

// of gives a source that was inspected ahead of need, if it is unchanged.
// It is the caller's from then on. Nil: there is none.
func (a *aheads) of(ctx context.Context, step int, in FileInput) *source {
	key := aheadOf{step, in.File.ID}
	a.mu.Lock()
	was, ok := a.looked[key]
	delete(a.looked, key)
	a.mu.Unlock()
	if !ok {
		return nil
	}
	if was.stamp != a.run.stampOf(ctx, in) {
		was.close()
		return nil
	}
	return was.source
}

// close removes what was kept for steps that have not come to it.
func (a *aheads) close() {
	for _, was := range a.looked {
		was.close()
	}
}

func (a *aheads) keep(step int, src lookedAt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.looked[aheadOf{step, src.File.ID}] = src
}

// fillAhead fills the server files of a step before its turn, after all of its sources stood
// their guards. It has the lease of each file while it does so, and waits for nothing and
// nobody: neither for a lease nor for a model.
func (s *step) fillAhead(ctx context.Context, e *early) error {
	s.ahead = true
	if err := s.late(); err != nil {
		return err
	}
	tenant, err := s.run.Connect(ctx, s.plan.Connection)
	if err != nil {
		return err
	}
	s.tenant = tenant
	sources := make([]*source, len(s.bound.Reads))
	var own []*source
	for k, in := range s.bound.Reads {
		if e.stamps[k] == "" {
			continue
		}
		if sources[k], err = s.inspectOne(ctx, in); err != nil {
			return err
		}
		e.went()
		if s.run.stampOf(ctx, in) != e.stamps[k] {
			sources[k].close()
			return fmt.Errorf("%s has changed since the run began", in.Shown())
		}
		own = append(own, sources[k])
		kept := lookedAt{sources[k], e.stamps[k]}
		defer s.run.ahead.keep(e.step, kept)
	}
	if s.unchanged(own) {
		return nil // it will be skipped
	}
	for _, src := range own {
		if err := s.fillOneAhead(ctx, src, e); err != nil {
			return fmt.Errorf("%s: %w", src.Shown(), err)
		}
	}
	return nil
}

func (s *step) fillOneAhead(ctx context.Context, src *source, e *early) error {
	model := ledger.ModelKey(s.bound.Model)
	switch by, err := s.run.Ledger.Holder(ctx, model); {
	case err != nil:
		return err
	case by != nil:
		return &ledger.HeldError{Key: model, By: *by}
	}
	lease, err := s.run.Ledger.Take(ctx, ledger.FileKey(s.bound.Model, src.File.ID, s.user()), s.run.holder(s.plan.Name))
	if err != nil {
		return err
	}
	s.held = &holding{files: map[string]ledger.Lease{src.File.ID: lease}}
	defer s.release()
	starts, err := s.run.Ledger.Unsettled(ctx, s.bound.Model.Host, s.bound.Model.ID)
	if err != nil {
		return err
	}
	if starts = append(starts, s.overruled...); len(starts) > 0 {
		return &stillRuns{starts[0], "may still run"}
	}
	if was, intact := s.intact(lease); intact && was.digest == src.facts.Digest {
		return nil
	}
	sent, err := s.send(ctx, src, lease, nil, e.went)
	if err != nil {
		return err
	}
	return s.sent(sent, lease)
}
