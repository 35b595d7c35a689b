package data

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// TestEndMove: a source is removed only where its copy is there.
func TestEndMove(t *testing.T) {
	long := strings.Repeat("a,b\n", 50_000)
	for _, c := range []struct {
		name, from, to string
		copied         time.Duration // after the source was written
		cut            int
		ended          bool
	}{
		{"a copy", long, long, time.Second, 0, true},
		{"a copy of the same moment", "a", "a", 0, 0, true},
		{"another of the same size", long, long[:len(long)-1] + "c", time.Second, 0, false},
		{"another size", "a", "ab", time.Second, 0, false},
		{"moved before this was written", "a", "a", -time.Second, 0, false},
		{"readings that end early", long, long, time.Second, 70_000, false},
	} {
		s, m := withMemory(map[string]string{"mem://b/in": c.from, "mem://b/done": c.to})
		m.cut = c.cut
		m.times = map[string]time.Time{"mem://b/done": m.entry("mem://b/in").Modified.Add(c.copied)}
		ended, err := s.EndMove(t.Context(), "mem://b/in", "mem://b/done")
		_, left := m.files["mem://b/in"]
		if ended != c.ended || left == c.ended || err != nil || m.files["mem://b/done"] != c.to {
			t.Errorf("%s: ended %v, left %v, %v", c.name, ended, left, err)
		}
	}
	s, m := withMemory(map[string]string{"mem://b/in": "a"})
	if ended, err := s.EndMove(t.Context(), "mem://b/in", "mem://b/done"); ended || err != nil {
		t.Error("without a copy: ", ended, err)
	}
	if ended, err := s.EndMove(t.Context(), "mem://b/none", "mem://b/in"); ended || !errors.Is(err, fs.ErrNotExist) {
		t.Error("without a source: ", ended, err)
	}
	m.files["mem://b/done"] = "a"
	m.fail = func(op, _ string) error {
		if op == "remove" {
			return ErrDenied
		}
		return nil
	}
	if _, err := s.EndMove(t.Context(), "mem://b/in", "mem://b/done"); !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
	if ended, err := s.EndMove(t.Context(), "in", "done"); ended || err != nil {
		t.Error("files of this machine: ", ended, err)
	}
}
