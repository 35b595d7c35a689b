package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// What settling goes by (design.md 7). Anaplan documents neither how late a request that
// lost its connection may take effect nor how long tasks are listed (anaplan-api.md 21).
const (
	// settleGap is how long after the answer was lost a task of ours may have been created,
	// and the time between two lists that show none.
	settleGap = 5 * time.Minute
	// settleAge is the age from which an intent whose task is not listed says nothing.
	settleAge = 24 * time.Hour
	// settleWait is how long Anaplan is asked in vain.
	settleWait = 2 * time.Hour
	// settleSlack is how much a creation time may be before the intent: two of Anaplan's
	// machines may differ.
	settleSlack = time.Minute
	// settleAnswer is the longest time that an answer is waited for: what is recorded as
	// longer was measured by a clock that jumped.
	settleAnswer = 10 * time.Minute
	// knownSpan is how far back all tasks of an object must be in the ledger for a new one
	// to be taken for ours.
	knownSpan = 7 * 24 * time.Hour
)

// settle finds out what became of a start whose answer is not known. Either a task is ours
// and is returned; or it is certain that none was created, and both results are nil; or the
// step ends, unsure. The model's lease is held. A run that halts and cancels is given
// cancel_wait to find its task; then whoever continues finds out.
func (s *step) settle(halting context.Context, i ledger.IntentState) (*anaplan.Task, *ending) {
	ctx := s.run.outer
	var halted time.Time
	lost := i.Lost
	if lost.IsZero() { // our runner died; it is gone at least since we have its lease
		lost = s.run.now()
	}
	began := time.Now()
	var none time.Time // when a list was believed that shows none
	told := false
	reasons := map[string]string{} // why a task is ours, by its id: what was seen once holds
	for {
		if ctx.Err() != nil {
			return nil, stopEnding()
		}
		if halting.Err() != nil {
			if halted.IsZero() {
				halted = time.Now()
			}
			if h := s.run.halted(halting); h == nil || !h.cancel || time.Since(halted) >= s.cancelWait() {
				return nil, stopEnding()
			}
		}
		fresh, err := s.listed(ctx, i)
		switch {
		case ctx.Err() != nil:
			return nil, stopEnding()
		case err != nil:
			if time.Since(began) >= s.settleWait() {
				return nil, s.undecided(i, nil, fmt.Sprintf("Anaplan could not be asked for %s: %v", s.settleWait(), err))
			}
			if !told {
				told = true
				s.note(ledger.Waiting{Reason: string(reasonSettle), Text: fmt.Sprintf("whether intent %d started a task cannot be told yet: %v", i.Number, err)})
			}
		case len(fresh) == 0 && s.run.now().Sub(i.At) > settleAge:
			return nil, s.undecided(i, nil, fmt.Sprintf("no task of it is listed, but it was begun over %s ago", settleAge))
		case len(fresh) == 0 && none.IsZero():
			none = time.Now()
			s.note(ledger.Waiting{Reason: string(reasonSettle), Text: fmt.Sprintf("intent %d: no task of it is listed; looked at again in %s", i.Number, s.run.scaled(settleGap))})
		case len(fresh) == 0 && time.Since(none) >= s.run.scaled(settleGap):
			settled := ledger.StartSettled{Number: i.Number, Outcome: ledger.IntentAbsent,
				Text: fmt.Sprintf("two lists of its tasks, %s apart, show none that is new", s.run.scaled(settleGap))}
			return nil, asEnding(s.record(settled))
		case len(fresh) == 1:
			why, wait, err := reasons[fresh[0].ID], false, error(nil)
			if why == "" {
				why, wait, err = s.ours(ctx, i, lost, fresh[0])
			}
			if ctx.Err() != nil {
				return nil, stopEnding()
			}
			// If it is a stranger's, ours may come yet, beside what we start next.
			ago := time.Since(began)
			if !i.Lost.IsZero() {
				ago = s.lostFor(i, began)
			}
			early := !s.tenant.Exclusive && ago < s.run.scaled(settleGap)
			if why != "" && early {
				reasons[fresh[0].ID] = why
				why, wait = "", true
			}
			if why != "" {
				settled := ledger.StartSettled{Number: i.Number, Outcome: ledger.IntentStarted, Task: fresh[0].ID, Created: fresh[0].CreationTime, Text: why}
				return &fresh[0], asEnding(s.record(settled))
			}
			if !wait {
				return nil, s.undecided(i, fresh, "it may be somebody else's")
			}
			if err != nil && time.Since(began) >= s.settleWait() {
				return nil, s.undecided(i, fresh, fmt.Sprintf("it cannot be looked at: %v", err))
			}
			if err == nil && time.Since(began) >= s.timeout() {
				return nil, s.undecided(i, fresh, fmt.Sprintf("it has not ended within %s, and nothing else tells whose it is", s.timeout()))
			}
			if !told {
				told = true
				s.note(ledger.Waiting{Reason: string(reasonSettle), Text: fmt.Sprintf("intent %d: task %s may be its own, or somebody else's: that is seen when it has ended", i.Number, fresh[0].ID)})
			}
		case len(fresh) > 1:
			return nil, s.undecided(i, fresh, "more than one was started since")
		}
		pause := s.run.scaled(waitEvery)
		if !none.IsZero() {
			pause = min(pause, max(time.Second, s.run.scaled(settleGap)-time.Since(none)))
		}
		if len(fresh) == 1 {
			pause = s.run.pollEvery(time.Since(began))
		}
		sleep(ctx, pause)
	}
}

// lostFor is how long ago the answer to a start was lost, or the start was sent if nobody
// lived to see more: by Anaplan's clock where it is known, since whoever recorded it may
// have had another clock than ours. A time ahead of ours counts from first.
func (s *step) lostFor(i ledger.IntentState, first time.Time) time.Duration {
	lost := i.At
	if i.Lost.After(lost) {
		lost = i.Lost
	}
	if now := s.tenant.Client.ServerTime(); !now.IsZero() && !i.ServerTime.IsZero() {
		return now.Sub(i.ServerTime) - min(lost.Sub(i.At), settleAnswer)
	}
	if ago := s.run.now().Sub(lost); ago >= 0 {
		return ago
	}
	return time.Since(first)
}

func (s *step) settleWait() time.Duration {
	if s.plan.SettleWait > 0 {
		return s.plan.SettleWait
	}
	return settleWait
}

// undecided is the ending of a step of which a person must say what became of it.
func (s *step) undecided(i ledger.IntentState, fresh []anaplan.Task, why string) *ending {
	text := fmt.Sprintf("%s: the answer to its start was lost, Anaplan may have run it: %s", s.describe(), why)
	resume := func(flag, value string) string { return ledger.ResumeCommand(s.run.req.ID, flag, value) }
	var next []string
	for _, t := range fresh {
		text += fmt.Sprintf("; task %s, %s", t.ID, t.State)
		if !t.CreationTime.IsZero() {
			text += ", created " + t.CreationTime.UTC().Format(time.RFC3339)
		}
		next = append(next, fmt.Sprintf("if task %s is its own: %s", t.ID, resume("--adopt", t.ID)))
	}
	next = append(next, "if it did not run: "+resume("--again", s.plan.Name),
		"if it ran and is well: "+resume("--accept", s.plan.Name))
	return &ending{StepEnded: ledger.StepEnded{Verdict: ledger.Unsure, Cause: ledger.CauseStartUnknown, Message: text,
		Next: "look at its tasks (" + s.look("") + "); nothing was repeated; " + strings.Join(next, "; ")}}
}

// notBelieved says why a task list that was read says nothing.
type notBelieved struct{ why string }

func (e *notBelieved) Error() string { return e.why }

// listed reads the tasks of the step's object that were not there before an intent. The
// list answers 200 and nothing when access is lost, so it is believed only when Anaplan
// knows us, shows the model in its workspace and the object in the list of its kind, and
// the model is open.
func (s *step) listed(ctx context.Context, i ledger.IntentState) ([]anaplan.Task, error) {
	ctx, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	if _, err := s.tenant.Client.Me(ctx); err != nil {
		return nil, err
	}
	if ok, err := among(s.tenant.Client.Models(ctx, s.bound.Model.Workspace), func(m anaplan.Model) bool { return m.ID == s.bound.Model.ID }); err != nil {
		return nil, err
	} else if !ok {
		return nil, &notBelieved{fmt.Sprintf("model %q is not listed in its workspace", s.bound.Model.Name)}
	}
	status, err := s.tenant.Client.Status(ctx, s.model())
	if err != nil {
		return nil, err
	}
	if opening(status.CurrentStep) {
		_ = s.tenant.Client.Open(ctx, s.model()) // a closed one is loaded by the calls below too
	}
	if ok, err := s.objectListed(ctx); err != nil {
		return nil, err
	} else if !ok {
		return nil, &notBelieved{fmt.Sprintf("%s %q is not listed in its model", s.plan.Verb, s.bound.Object.Name)}
	}
	known, err := s.known(ctx) // those of other starts
	if err != nil {
		return nil, err
	}
	var fresh []anaplan.Task
	for t, err := range s.tenant.Client.Tasks(ctx, s.object()) {
		if err != nil {
			return nil, err
		}
		if isNew(i, t) && !slices.Contains(known, t.ID) {
			fresh = append(fresh, t)
		}
	}
	if opening(status.CurrentStep) {
		return nil, &notBelieved{"the model was not open: " + status.CurrentStep}
	}
	return fresh, nil
}

// opening says whether the status of a model is one in which it is closed, or changes
// between open and closed. The texts are an open set (anaplan-api.md 8.2).
func opening(step string) bool {
	return strings.HasPrefix(step, "Clos") || strings.HasPrefix(step, "Load") || strings.HasPrefix(step, "Opening")
}

// objectListed says whether the step's object stands in the list of its kind.
func (s *step) objectListed(ctx context.Context) (bool, error) {
	m, id := s.model(), s.bound.Object.ID
	switch s.bound.Kind {
	case anaplan.KindImport:
		return among(s.tenant.Client.Imports(ctx, m), func(o anaplan.Import) bool { return o.ID == id })
	case anaplan.KindExport:
		return among(s.tenant.Client.Exports(ctx, m), func(o anaplan.Export) bool { return o.ID == id })
	case anaplan.KindProcess:
		return among(s.tenant.Client.Processes(ctx, m), func(o anaplan.Process) bool { return o.ID == id })
	}
	return among(s.tenant.Client.Actions(ctx, m), func(o anaplan.Action) bool { return o.ID == id })
}

// among says whether a list holds what is wanted. It is read to its end: a list that
// breaks off is an error.
func among[T any](list func(yield func(T, error) bool), want func(T) bool) (found bool, err error) {
	for item, err := range list {
		if err != nil {
			return false, err
		}
		found = found || want(item)
	}
	return found, nil
}

// isNew says whether a task was not in the list that was read before an intent. One of the
// time of the intent is, though somebody else's of a later time was listed: two of Anaplan's
// machines may have dated them.
func isNew(i ledger.IntentState, t anaplan.Task) bool {
	if slices.Contains(i.Before.Recent, t.ID) {
		return false
	}
	from := i.Before.Latest
	if begun := i.ServerTime.Add(-settleSlack); !i.ServerTime.IsZero() && begun.Before(from) {
		from = begun
	}
	return t.CreationTime.IsZero() || !t.CreationTime.Before(from)
}

// ours says why the one new task is that of an intent; wait: that may still be seen, when
// it has ended. Without a reason it is nobody's that we know.
func (s *step) ours(ctx context.Context, i ledger.IntentState, lost time.Time, t anaplan.Task) (why string, wait bool, err error) {
	if !t.CreationTime.IsZero() && !i.ServerTime.IsZero() {
		last := i.ServerTime.Add(max(0, lost.Sub(i.At)) + settleGap)
		if t.CreationTime.Before(i.ServerTime.Add(-settleSlack)) || t.CreationTime.After(last) {
			return "", false, nil
		}
	}
	if rival, err := s.rival(ctx, i, t); err != nil {
		return "", true, err
	} else if rival {
		return "", false, nil
	}
	if s.tenant.Exclusive {
		return "it is the only new one, and the connection says that nobody else uses this login (exclusive_user)", false, nil
	}
	// Uploads and outputs are private: another's task has other bytes, and writes elsewhere.
	if len(s.bound.Reads) == 0 && len(s.bound.Exports) == 0 && len(s.bound.Prompts) == 0 {
		return "it is the only new one, and whoever started it, it has the same effect: it has no files and no prompts", false, nil
	}
	if known, err := s.allKnown(ctx, t.ID); err != nil {
		return "", true, err
	} else if known {
		return fmt.Sprintf("it is the only new one, and every other of the last %s was started by runs of this ledger", knownSpan), false, nil
	}
	now, err := s.poll(ctx, t.ID)
	if err != nil {
		return "", true, err
	}
	if now.State.Terminal() {
		if n, ok := s.sameRows(now); ok {
			return fmt.Sprintf("it is the only new one, and read as many rows as were uploaded, %d", n), false, nil
		}
		return "", false, nil
	}
	if now.State == anaplan.InProgress && s.namesUs(ctx) {
		if again, err := s.poll(ctx, t.ID); err == nil && again.State == anaplan.InProgress {
			return "it is the only new one, and while it runs the model's status names it and our user", false, nil
		}
	}
	return "", true, nil
}

// rival says whether a task may be that of a later start of the same object, by another
// step or run of the ledger, whose answer was lost too. An earlier one was waited for before
// our intent.
func (s *step) rival(ctx context.Context, i ledger.IntentState, t anaplan.Task) (is bool, err error) {
	var starts []ledger.Start
	err = s.run.read(ctx, func() (err error) {
		starts, err = s.run.Ledger.Unsettled(ctx, s.bound.Model.Host, s.bound.Model.ID)
		return err
	})
	for _, other := range starts {
		if other.Run == s.run.req.ID && other.Step == s.plan.Name || other.Object.ID != s.bound.Object.ID {
			continue
		}
		before := !t.CreationTime.IsZero() && t.CreationTime.Before(other.Intent.ServerTime.Add(-settleSlack))
		is = is || other.Intent.Task == "" && other.Intent.Epoch > i.Epoch && !before
	}
	return is, err
}

// namesUs says whether the model's status says that it runs this object for our user.
func (s *step) namesUs(ctx context.Context) bool {
	status, err := s.status(ctx)
	if err != nil || !strings.Contains(status.Tooltip, s.bound.Object.Name) {
		return false
	}
	u := s.run.bound.Users[s.bound.Connection]
	for _, name := range []string{u.Email, strings.TrimSpace(u.FirstName + " " + u.LastName)} {
		if name != "" && strings.Contains(status.Tooltip, name) {
			return true
		}
	}
	return false
}

// allKnown says whether this ledger knows every other recent task of the step's object, and
// there is one: then nobody else starts it.
func (s *step) allKnown(ctx context.Context, task string) (bool, error) {
	since := s.run.now().Add(-knownSpan)
	mine, err := s.known(ctx)
	if err != nil {
		return false, err
	}
	others := 0
	for t, err := range s.tenant.Client.Tasks(ctx, s.object()) {
		if err != nil {
			return false, err
		}
		if t.ID == task || !t.CreationTime.IsZero() && t.CreationTime.Before(since) {
			continue
		}
		if !slices.Contains(mine, t.ID) {
			return false, nil
		}
		others++
	}
	return others > 0, nil
}

// known are the recent tasks of the step's object that this ledger knows.
func (s *step) known(ctx context.Context) (tasks []string, err error) {
	err = s.run.read(ctx, func() (err error) {
		tasks, err = s.run.Ledger.Tasks(ctx, s.bound.Model.Host, s.bound.Model.ID, s.bound.Object.ID, s.run.now().Add(-2*knownSpan))
		return err
	})
	return tasks, err
}

// sameRows says whether each import of the step that reads a file of ours has read as many
// rows as were uploaded to that.
func (s *step) sameRows(t anaplan.Task) (rows int64, ok bool) {
	if t.Result == nil {
		return 0, false
	}
	if s.plan.Verb == configs.Import {
		want, total := s.rowsUploaded(s.bound.Imports[0]), rowsRead(*t.Result)
		if want == nil || total == nil || *total != *want {
			return 0, false
		}
		return *want, true
	}
	for _, n := range everyNested(t.Result.Nested) {
		for _, part := range s.bound.Imports {
			if part.Object.ID != n.ObjectID || part.File == "" {
				continue
			}
			want, total := s.rowsUploaded(part), rowsRead(n)
			if want == nil || total == nil || *total != *want {
				return 0, false
			}
			rows += *want
			ok = true
		}
	}
	return rows, ok
}

// rowsUploaded is how many rows this run has uploaded for an import, nil when unknown.
func (s *step) rowsUploaded(part ImportPart) *int64 {
	if part.File == "" {
		return nil
	}
	was, _ := s.run.files.of(ledger.FileKey(s.bound.Model, part.File, s.user()))
	return was.rows
}

// rowsRead is how many rows an import read, nil when Anaplan does not say: module imports
// count cells.
func rowsRead(r anaplan.Result) *int64 {
	if cells(r) {
		return nil
	}
	return rows(r).Total
}
