package jobs

import (
	"context"
	"fmt"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// stampsOf are the stamps of what a step uploads; nil if one is empty.
func (r *run) stampsOf(ctx context.Context, reads []FileInput) []string {
	var stamps []string
	for _, in := range reads {
		if !in.Own() {
			stamps = append(stamps, "")
			continue
		}
		stamp := r.stampOf(ctx, in)
		if stamp == "" {
			return nil
		}
		stamps = append(stamps, stamp)
	}
	return stamps
}

// stampOf tells two states of a source and its control file apart, without reading them. It
// is empty for what is not there, or not to be had twice.
func (r *run) stampOf(ctx context.Context, in FileInput) string {
	sources := []data.Source{in.Source}
	if in.Guard.Totals != "" {
		sources = append(sources, data.Source{Name: in.Guard.Totals})
	}
	var stamp strings.Builder
	for _, src := range sources {
		found, err := r.stores().Find(ctx, src)
		if err != nil {
			return ""
		}
		for _, e := range found.Entries {
			if e.Version == "" {
				return ""
			}
			fmt.Fprintf(&stamp, "%q %q ", e.Name, e.Version)
		}
	}
	return stamp.String()
}
