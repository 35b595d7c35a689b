package jobs

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// TestExplain holds that errors of files are not the network's, although the system's error
// numbers are net.Errors, and that a file without content is no lack of access, although
// Anaplan answers it with 404.
func TestExplain(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent")
	_, open := os.Open(absent)
	_, dial := net.Dial("tcp", "127.0.0.1:1")
	for _, tc := range []struct {
		name string
		err  error
		want ledger.Cause
	}{
		{"no such file", open, ledger.CauseInput},
		{"no such file to rename", os.Rename(absent, absent+"2"), ledger.CauseInput},
		{"nobody listens", dial, ledger.CauseNetwork},
		{"an answer that breaks off", io.ErrUnexpectedEOF, ledger.CauseNetwork},
		{"an answer that is no JSON", &anaplan.FormatError{}, ledger.CauseNetwork},
		{"empty source", transfer.ErrEmpty, ledger.CauseInput},
		{"source changed", transfer.ErrChanged, ledger.CauseInput},
		{"source too large", transfer.ErrTooLarge, ledger.CauseInput},
		{"no content", anaplan.ErrNoContent, ledger.CauseInput},
		{"another file", &anaplan.WrongFileError{Want: "113000000001", Got: "113000000002"}, ledger.CauseConfig},
		{"refused", &anaplan.Error{Status: 404}, ledger.CausePermission},
	} {
		if end := Explain(fmt.Errorf("move: %w", tc.err)); end.Cause != tc.want || end.Next == "" {
			t.Errorf("%s: cause %q, want %q; next %q", tc.name, end.Cause, tc.want, end.Next)
		}
	}
}
