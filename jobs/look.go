package jobs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// Looked is what can be told of a source before the run.
type Looked struct {
	Waits bool       // it is not there, and the run would wait for it
	Found data.Found // else the files that it is
	Read  bool       // they lie here and were read
	Facts data.Facts // then what they tell
	Left  []string   // the guards that were not looked at: they need a download, a program, or earlier runs
}

// Look holds a source against its guard as far as that needs no download and has no side
// effects. Errors are those of package data.
func (b *Bound) Look(ctx context.Context, stores *data.Stores, in FileInput, now time.Time) (Looked, error) {
	if stores == nil {
		stores = &data.Stores{}
	}
	found, err := stores.Find(ctx, in.Source)
	if errors.Is(err, fs.ErrNotExist) && in.WaitFor.Limit > 0 {
		return Looked{Waits: true}, nil
	}
	if err != nil {
		return Looked{}, err
	}
	l := Looked{Found: found}
	guard := in.Guard
	with := data.Against{Header: in.Header, Now: now, BusinessDay: b.Plan.Job.BusinessDay}
	if guard.Command != nil {
		l.Left = append(l.Left, "command")
	}
	if guard.CompareLast != nil {
		guard.CompareLast = nil
		l.Left = append(l.Left, "compare_last")
	}
	if guard.Unchanged == "skip" || guard.Unchanged == "refuse" {
		guard.Unchanged = ""
		l.Left = append(l.Left, "unchanged")
	}
	if guard.Control != nil && data.Remote(guard.Totals) {
		guard.Control = nil
		l.Left = append(l.Left, "control")
	}
	if err := guard.Early(found, with); err != nil {
		return l, err
	}
	if slices.ContainsFunc(found.Entries, func(e data.Entry) bool { return e.Name == "-" || data.Remote(e.Name) }) {
		guard.MaxAge = nil
		if !guard.Zero() {
			l.Left = append(l.Left, "all that must be read")
		}
		return l, nil
	}
	if guard.Control != nil {
		if with.Control, err = stores.Control(ctx, guard.Totals); err != nil {
			return l, err
		}
	}
	checks, err := guard.Checks(with)
	if err != nil {
		return l, err
	}
	file, err := stores.Fetch(ctx, found, os.TempDir(), in.Format) // local files stay where they are
	if err != nil {
		return l, err
	}
	defer file.Close()
	if l.Facts, err = file.Inspect(ctx, checks); err != nil {
		return l, err
	}
	l.Read = true
	return l, guard.Check(l.Facts, with)
}
