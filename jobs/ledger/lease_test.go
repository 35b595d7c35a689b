package ledger

import (
	"strings"
	"testing"
)

// TestHeldErrorNamesWhatIsHeld: people see names and ids, not keys.
func TestHeldErrorNamesWhatIsHeld(t *testing.T) {
	m := ModelRef{ID: "C00C", Host: "api.anaplan.com:443"}
	for key, want := range map[Key]string{
		JobKey("a/b c"):                   `job "a/b c" is held by`,
		RunKey(ID{Job: "a/b", Run: "%1"}): `run "%1" of job "a/b" is held by`,
		ModelKey(m):                       "model C00C is held by",
		FileKey(m, "113", "8A"):           "server file 113 of model C00C is held by",
		"other/x":                         "other/x is held by",
	} {
		if got := (&HeldError{Key: key}).Error(); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}
