package cli

import (
	"fmt"
	"time"
	_ "time/tzdata" // Windows, and small containers, have no rules of time zones

	"github.com/thlib/go-timezone-local/tzlocal"
)

// zoneOf is a job's time zone by its name; without one, the machine's by its own name, so
// that it can be told and recorded.
func zoneOf(name string) (*time.Location, error) {
	if name != "" {
		zone, err := time.LoadLocation(name)
		if err != nil {
			return nil, fmt.Errorf("time zone %q: %w", name, err)
		}
		return zone, nil
	}
	if own, err := tzlocal.RuntimeTZ(); err == nil {
		if zone, err := time.LoadLocation(own); err == nil {
			return zone, nil
		}
	}
	return time.UTC, nil // a machine that does not know its zone
}
