package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Unsettled says whether a task of the start may run or come to run: it is pending or
// open, or its task has not ended.
func (i IntentState) Unsettled() bool {
	switch i.Outcome {
	case IntentPending, IntentOpen:
		return true
	case IntentStarted:
		return i.Ended.IsZero()
	}
	return false
}

// Unsettled lists the run's starts on a model of which a task may run or come to run.
func (s *State) Unsettled(host, model string) []Start {
	var found []Start
	for i := range s.Steps {
		t := &s.Steps[i]
		for _, intent := range t.Intents {
			if !intent.Unsettled() || intent.Model.Host != host || intent.Model.ID != model {
				continue
			}
			intent.Before, intent.Result = TaskListed{}, nil
			found = append(found, Start{Run: s.Created.ID, Step: t.Plan.Name, Verb: t.Plan.Verb, Object: intent.Object, Intent: intent})
		}
	}
	SortStarts(found)
	return found
}

// SortStarts puts the earliest first; of those of the same instant, by run, and then by
// number.
func SortStarts(starts []Start) {
	slices.SortStableFunc(starts, func(a, b Start) int {
		return cmp.Or(a.Intent.At.Compare(b.Intent.At), cmp.Compare(a.Run.Job, b.Run.Job), cmp.Compare(a.Run.Run, b.Run.Run),
			cmp.Compare(a.Intent.Number, b.Intent.Number))
	})
}

// Tasks are the ids of the run's tasks of an object that were intended after a time.
func (s *State) Tasks(host, model, object string, after time.Time) []string {
	var found []string
	for _, t := range s.Steps {
		for _, i := range t.Intents {
			if i.Task != "" && i.At.After(after) && i.Model.Host == host && i.Model.ID == model && i.Object.ID == object {
				found = append(found, i.Task)
			}
		}
	}
	return found
}

// Check says what is wrong with a wish: every ledger asks before it keeps one.
func (w Wish) Check() error {
	if w.What != WishCancel && w.What != WishDetach {
		return fmt.Errorf("there is no wish %q", w.What)
	}
	if w.At.IsZero() {
		return fmt.Errorf("the wish has no time")
	}
	return nil
}
