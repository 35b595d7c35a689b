package configs

import "time"

// finish applies what a job file need not say: [defaults], and the values that the
// comments of the types name.
func finish(j *Job) {
	if j.Overlap == "" {
		j.Overlap = OverlapRefuse
	}
	if j.MaxParallel == 0 {
		j.MaxParallel = 4
	}
	for i := range j.Steps {
		finishStep(&j.Steps[i], j.Defaults)
	}
}

func finishStep(s *Step, d Step) {
	if s.When == "" {
		s.When = WhenOK
	}
	take(s, d)
	if s.OnFailure == "" {
		s.OnFailure = Stop
	}
	if s.OnPartial == "" {
		s.OnPartial = Stop
	}
	if s.Retry.Tries == 0 {
		s.Retry.Tries = 3
	}
	if s.Retry.Wait == 0 {
		s.Retry.Wait = 30 * time.Second
	}
	if s.Verb.StartsTask() {
		s.SettleWait = or(s.SettleWait, 2*time.Hour)
		s.CancelWait = or(s.CancelWait, 15*time.Minute)
	}
	for i, a := range s.Actions {
		if a.Accept != nil {
			s.Actions[i].Accept = ptr(s.Accept.under(*a.Accept))
		}
	}
}

// take fills what the step does not say itself from [defaults], key by key, as far as it
// is for the step's verb.
func take(s *Step, d Step) {
	if fits("accept", s.Verb) {
		s.Accept = fitting(d.Accept, s.Verb).under(s.Accept)
	}
	s.OnFailure = or(s.OnFailure, d.OnFailure)
	s.OnPartial = or(s.OnPartial, d.OnPartial)
	s.Retry.Tries = or(s.Retry.Tries, d.Retry.Tries)
	s.Retry.Wait = or(s.Retry.Wait, d.Retry.Wait)
	if fits("timeout", s.Verb) {
		s.Timeout = or(s.Timeout, d.Timeout)
		s.Rerun = or(s.Rerun, d.Rerun)
	}
	if fits("transfer", s.Verb) {
		s.Transfer.ChunkSize = or(s.Transfer.ChunkSize, d.Transfer.ChunkSize)
		s.Transfer.Connections = or(s.Transfer.Connections, d.Transfer.Connections)
		s.Transfer.Gzip = or(s.Transfer.Gzip, d.Transfer.Gzip)
	}
	if s.Verb.StartsTask() {
		s.OnTimeout = or(s.OnTimeout, d.OnTimeout)
		s.WarnAfter = or(s.WarnAfter, d.WarnAfter)
		s.Locale = or(s.Locale, d.Locale)
		s.OnStop = or(s.OnStop, d.OnStop)
		s.SettleWait = or(s.SettleWait, d.SettleWait)
		s.CancelWait = or(s.CancelWait, d.CancelWait)
		if _, own := s.Positions["rerun_on"]; !own && s.RerunSafe() {
			s.RerunOn = d.RerunOn
		}
	}
	s.Wait.Busy = or(s.Wait.Busy, d.Wait.Busy)
	s.Wait.Maintenance = or(s.Wait.Maintenance, d.Wait.Maintenance)
	s.Wait.Closed = or(s.Wait.Closed, d.Wait.Closed)
	s.Wait.Locked = or(s.Wait.Locked, d.Wait.Locked)
	if _, own := s.Positions["show_rejected"]; !own && fits("show_rejected", s.Verb) {
		s.ShowRejected = d.ShowRejected
	}
}

// under returns own, with what it does not say taken from a.
func (a Accept) under(own Accept) Accept {
	return Accept{
		Failed: or(own.Failed, a.Failed), Warnings: or(own.Warnings, a.Warnings), Ignored: or(own.Ignored, a.Ignored),
		MinLoaded: or(own.MinLoaded, a.MinLoaded), Unexplained: or(own.Unexplained, a.Unexplained),
	}
}

// fitting is a without what is not for the verb.
func fitting(a Accept, v Verb) Accept {
	if !fits("accept.unexplained", v) {
		a.Unexplained = nil
	}
	if !fits("accept.min_loaded", v) {
		a.MinLoaded = nil
	}
	return a
}

// or is the first of two values that was written.
func or[T comparable](own, other T) T {
	var zero T
	if own == zero {
		return other
	}
	return own
}

func ptr[T any](v T) *T { return &v }
