package configs

import (
	"testing"

	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "512": 512, "10B": 10, "1KB": 1000, "1KiB": 1024, "10MB": 10_000_000, "10MiB": 10 << 20, "1.5GB": 1_500_000_000, "2TiB": 2 << 40} {
		if got, ok := parseSize(s); !ok || got != want {
			t.Errorf("%s is %d, %v; want %d", s, got, ok, want)
		}
	}
	for s, fixed := range map[string]string{"": "", "MB": "", "1.5": "", "-1MB": "", "1e3MB": "", "10 MB": "10MB", "10mb": "10MB", "10m": "10MB", "10 mib": "10MiB", "10Gi": "10GiB", "9999999999TB": "", "99999999999999999999": "", "1MBit": "", "1.2.3MB": ""} {
		if got, ok := parseSize(s); ok {
			t.Errorf("%q is %d", s, got)
		}
		if got := repairSize(s); got != fixed {
			t.Errorf("%q is repaired to %q, want %q", s, got, fixed)
		}
	}
}

// TestSizeTextIsASize: what a message says may be written.
func TestSizeTextIsASize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1000, 1<<50).Draw(t, "n") / 1000 * 1000
		if got, ok := parseSize(sizeText(n)); !ok || got != n {
			t.Fatalf("%d is written %s, which is %d, %v", n, sizeText(n), got, ok)
		}
	})
}
