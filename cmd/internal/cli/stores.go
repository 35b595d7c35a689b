//go:build !nostores

package cli

import (
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/data/blob"
)

// objectStores are those of S3, Google and Azure. Their libraries are most of the program:
// the build tag nostores leaves them out.
func objectStores() map[string]data.Store { return blob.New().Schemes() }
