//go:build nostores

package cli

import "github.com/anaplan-runner/anaplan-runner/jobs/data"

func objectStores() map[string]data.Store { return nil }
