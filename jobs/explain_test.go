package jobs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// TestAFileThatIsNotThereIsNoNetworkError: the system's error numbers are net.Errors.
func TestAFileThatIsNotThereIsNoNetworkError(t *testing.T) {
	_, err := os.Open(filepath.Join(t.TempDir(), "absent"))
	if end := Explain(fmt.Errorf("upload: %w", err)); end.Cause != ledger.CauseInput {
		t.Errorf("cause %q: %s", end.Cause, end.Next)
	}
}
