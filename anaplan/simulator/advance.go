package simulator

import (
	"slices"
	"time"
)

// advance lets everything happen, in order of time, that is due by now: late requests take effect,
// tasks begin and end. The mutex is held.
func (s *Simulator) advance(now time.Time) {
	for {
		var due time.Time
		var happen func()
		first := func(t time.Time, f func()) {
			if !t.After(now) && (happen == nil || t.Before(due)) {
				due, happen = t, f
			}
		}
		for i, c := range s.late {
			first(c.due, func() {
				s.late = slices.Delete(s.late, i, i+1)
				s.tookEffect(c)
			})
		}
		for i, v := range s.visits {
			if !v.due.IsZero() {
				first(v.due, func() {
					s.visits = slices.Delete(s.visits, i, i+1)
					s.visit(v.Stranger)
				})
			}
		}
		for _, m := range s.models {
			if t, ok := m.nextEvent(); ok {
				first(t, func() { s.event(m) })
			}
		}
		if happen == nil {
			break
		}
		if due.After(s.t) {
			s.t = due
		}
		happen()
	}
	s.t = now
}

// tookEffect runs a request whose caller is long gone. One that would hang tries again.
func (s *Simulator) tookEffect(c *call) {
	if _, until := s.answer(c); !until.IsZero() {
		s.later(c, until)
	}
}

// busy says whether a task runs or is being cancelled.
func (m *model) busy() bool { return len(m.queue) > 0 && m.queue[0].state != notStarted }

// nextEvent is when the first task of the queue changes by itself.
func (m *model) nextEvent() (time.Time, bool) {
	if len(m.queue) == 0 {
		return time.Time{}, false
	}
	t := m.queue[0]
	switch t.state {
	case notStarted:
		return latest(t.created, m.free, m.loaded), true
	case cancelling:
		return t.cancelEnd, true
	}
	return t.stepEnd, true
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}

func (s *Simulator) event(m *model) {
	t := m.queue[0]
	switch t.state {
	case notStarted:
		t.state, t.started = inProgress, s.t
		s.beginStep(t)
	case cancelling:
		if s.switches.CancelLost {
			t.state = inProgress
			t.stepEnd = latest(t.stepEnd, s.t)
			return
		}
		s.end(t, cancelled)
	default:
		s.endStep(t)
	}
}

func (s *Simulator) beginStep(t *task) {
	if t.step >= len(t.steps) { // an empty process
		s.finish(t)
		return
	}
	r := t.steps[t.step]
	t.stepStart, t.stepEnd = s.t, s.t.Add(r.duration)
	t.source, t.before = nil, nil
	if r.kind == "import" && r.file != nil {
		if up := s.own(r.file, t.user); up != nil {
			up.used = s.t
			t.source, t.changes, t.before = up, up.changes, up.bytes()
		}
	}
}

// endStep lets the running action have its effect, all at once: until then it can be rolled back.
func (s *Simulator) endStep(t *task) {
	r := t.steps[t.step]
	done := s.run(t, r)
	done.object, done.started, done.duration = r, t.stepStart, s.t.Sub(t.stepStart)
	t.results = append(t.results, done)
	t.model.changes++
	t.model.lastChangedBy = t.user
	t.step++
	if !done.ran && !s.switches.ContinueAfterFailure && t.step < len(t.steps) {
		t.failed = true
		s.finish(t)
		return
	}
	if t.step < len(t.steps) {
		s.beginStep(t)
		return
	}
	s.finish(t)
}

func (s *Simulator) finish(t *task) {
	t.successful = true
	clean := true
	for _, r := range t.results {
		t.successful = t.successful && r.successful
		t.dump = t.dump || r.dump
		t.failed = t.failed || !r.ran
		clean = clean && !r.dump && r.ran && !ignored(r)
	}
	if t.object.kind == "process" && s.switches.SilentProcess && !clean && !t.failed {
		t.successful, t.dump = false, false
		for _, r := range t.results {
			r.details, r.dump = nil, false
		}
	}
	s.end(t, complete)
}

func ignored(r *result) bool {
	for _, d := range r.details {
		if value(d.values, "ignoredCount") != "0" && value(d.values, "ignoredCount") != "" {
			return true
		}
	}
	return false
}

func value(values []string, key string) string {
	for i := 0; i+1 < len(values); i += 2 {
		if values[i] == key {
			return values[i+1]
		}
	}
	return ""
}

func (s *Simulator) end(t *task, state string) {
	t.state, t.ended = state, s.t
	t.model.free = s.t
	t.model.queue = slices.DeleteFunc(t.model.queue, func(q *task) bool { return q == t })
	s.wake()
}
