package configs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// TestJobAsTOMLParsesBack writes random jobs as TOML and reads them.
func TestJobAsTOMLParsesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := randomJob(t)
		text := jobText(want)
		got, err := Parse("job.toml", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		opts := cmp.Options{cmpopts.IgnoreFields(Job{}, "Positions", "Digest", "Warnings"), cmpopts.IgnoreFields(Step{}, "Positions")}
		if d := cmp.Diff(want, got, opts); d != "" {
			t.Fatalf("%s\n-want +got\n%s", text, d)
		}
	})
}

// free is a name as people give them: with blanks, quotes, backslashes and other scripts.
var free = rapid.StringMatching(`[A-Za-zÄ日"'\\#.=&-][A-Za-z0-9 Ä日"'\\#.=&-]{0,12}x`)

var clock = rapid.StringMatching(`([01][0-9]|2[0-3]):[0-5][0-9]`)

func maybe[T any](t *rapid.T, g *rapid.Generator[T]) *T {
	if !rapid.Bool().Draw(t, "is there") {
		return nil
	}
	return ptr(g.Draw(t, "value"))
}

func randomJob(t *rapid.T) *Job {
	j := &Job{File: "job.toml", Dir: ".", Name: free.Draw(t, "job"), Connection: free.Draw(t, "connection"),
		Overlap:  rapid.SampledFrom([]Overlap{OverlapRefuse, OverlapWait, OverlapSkip}).Draw(t, "overlap"),
		NotAfter: clock.Draw(t, "not after"), Deadline: clock.Draw(t, "deadline"), Keep: time.Duration(rapid.Int64Range(1, 1000).Draw(t, "keep")) * time.Hour,
		MaxParallel: rapid.IntRange(1, 64).Draw(t, "parallel"), Workspace: Ref{Name: free.Draw(t, "workspace")}, Model: Ref{Name: free.Draw(t, "model")}}
	for i := range rapid.IntRange(1, 5).Draw(t, "steps") {
		j.Steps = append(j.Steps, randomStep(t, i))
	}
	return j
}

func randomStep(t *rapid.T, i int) Step {
	name := fmt.Sprintf("%d %s", i, free.Draw(t, "step"))
	span := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(1, 1<<40).Draw(t, "ms")) * time.Millisecond
	})
	count := rapid.Int64Range(0, 1<<40)
	limit := rapid.Custom(func(t *rapid.T) Limit {
		if rapid.Bool().Draw(t, "share") {
			return Limit{Share: true, Percent: float64(rapid.IntRange(0, 400).Draw(t, "quarters")) / 4}
		}
		return Limit{Rows: count.Draw(t, "rows")}
	})
	s := Step{Index: i, Name: name, Base: name, Verb: rapid.SampledFrom(Verbs[:6]).Draw(t, "verb"), Object: Ref{Name: free.Draw(t, "object")},
		Enabled: rapid.Bool().Draw(t, "enabled"), When: rapid.SampledFrom([]When{WhenOK, WhenFailed, WhenAlways}).Draw(t, "when"),
		OnFailure: rapid.SampledFrom(outcomes).Draw(t, "on failure"), OnPartial: Stop,
		Retry: Retry{rapid.IntRange(1, 100).Draw(t, "tries"), span.Draw(t, "retry")},
		Wait:  Wait{Busy: maybe(t, span), Locked: maybe(t, span)}}
	path := func() string { return "in/" + strings.TrimRight(free.Draw(t, "path"), `\`) + ".csv" }
	switch s.Verb {
	case Import:
		s.Source = &Source{Path: path()}
		s.Guard = Guard{MaxRows: maybe(t, count), Header: maybe(t, rapid.Bool())}
		if age := maybe(t, span); age != nil {
			s.Guard.MaxAge = &Age{Duration: *age}
		}
	case Upload:
		s.Source = &Source{Path: path()}
	case Export, Download:
		s.Targets = []Target{{Path: path()}}
	case Process:
		for n := range rapid.IntRange(0, 3).Draw(t, "files") {
			s.Files = append(s.Files, StepFile{File: Ref{Name: fmt.Sprint(n, free.Draw(t, "file"))}, Source: Source{Path: path()}, Guard: Guard{MinRows: maybe(t, count)}})
			s.Prompts = append(s.Prompts, Prompt{fmt.Sprint(n, free.Draw(t, "dimension")), free.Draw(t, "item")})
		}
	}
	if s.Verb == Import || s.Verb == Process {
		s.Accept = Accept{Failed: maybe(t, limit), Ignored: maybe(t, limit), MinLoaded: maybe(t, count)}
	}
	if s.Verb.StartsTask() {
		s.Timeout = span.Draw(t, "timeout")
		s.Rerun = rapid.SampledFrom(append(reruns, "")).Draw(t, "rerun")
		if s.RerunSafe() {
			s.RerunOn = rapid.SliceOfNDistinct(rapid.SampledFrom(failures), 0, 3, rapid.ID).Draw(t, "rerun on")
		}
		s.OnStop = rapid.SampledFrom(onTimeout).Draw(t, "on stop")
		s.SettleWait, s.CancelWait = span.Draw(t, "settle wait"), span.Draw(t, "cancel wait")
	}
	return s
}

// quote writes a text as TOML's basic string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func jobText(j *Job) string {
	var b strings.Builder
	put := func(key string, v any) {
		switch v := v.(type) {
		case string:
			fmt.Fprintf(&b, "%s = %s\n", key, quote(v))
		case time.Duration:
			fmt.Fprintf(&b, "%s = \"%dms\"\n", key, v.Milliseconds())
		case *time.Duration:
			if v != nil {
				fmt.Fprintf(&b, "%s = \"%dms\"\n", key, v.Milliseconds())
			}
		case *Limit:
			if v != nil && v.Share {
				fmt.Fprintf(&b, "%s = \"%g%%\"\n", key, v.Percent)
			} else if v != nil {
				fmt.Fprintf(&b, "%s = %d\n", key, v.Rows)
			}
		case *int64:
			if v != nil {
				fmt.Fprintf(&b, "%s = %d\n", key, *v)
			}
		case *bool:
			if v != nil {
				fmt.Fprintf(&b, "%s = %t\n", key, *v)
			}
		default:
			fmt.Fprintf(&b, "%s = %v\n", key, v)
		}
	}
	put("name", j.Name)
	put("connection", j.Connection)
	put("overlap", string(j.Overlap))
	put("not_after", j.NotAfter)
	put("deadline", j.Deadline)
	put("keep", j.Keep)
	put("max_parallel", j.MaxParallel)
	put("anaplan.workspace", j.Workspace.Name)
	put("anaplan.model", j.Model.Name)
	for _, s := range j.Steps {
		b.WriteString("[[step]]\n")
		put("name", s.Name)
		put(string(s.Verb), s.Object.Name)
		put("enabled", s.Enabled)
		put("when", string(s.When))
		put("on_failure", string(s.OnFailure))
		put("retry.tries", s.Retry.Tries)
		put("retry.wait", s.Retry.Wait)
		put("wait.busy", s.Wait.Busy)
		put("wait.locked", s.Wait.Locked)
		put("guard.max_rows", s.Guard.MaxRows)
		if s.Guard.MaxAge != nil {
			put("guard.max_age", s.Guard.MaxAge.Duration)
		}
		put("guard.header", s.Guard.Header)
		put("accept.failed", s.Accept.Failed)
		put("accept.ignored", s.Accept.Ignored)
		put("accept.min_loaded", s.Accept.MinLoaded)
		if s.Source != nil {
			put("source", s.Source.Path)
		}
		for _, t := range s.Targets {
			put("target", t.Path)
		}
		if s.Timeout > 0 {
			put("timeout", s.Timeout)
			put("on_stop", s.OnStop)
			put("settle_wait", s.SettleWait)
			put("cancel_wait", s.CancelWait)
		}
		if s.Rerun != "" {
			put("rerun", s.Rerun)
		}
		if s.RerunOn != nil {
			fmt.Fprintf(&b, "rerun_on = [%s]\n", quoted(s.RerunOn))
		}
		for _, p := range s.Prompts {
			put("prompts."+quote(p.Dimension), p.Item)
		}
		for _, f := range s.Files {
			fmt.Fprintf(&b, "[step.files.%s]\n", quote(f.File.Name))
			put("source", f.Source.Path)
			put("guard.min_rows", f.Guard.MinRows)
		}
	}
	return b.String()
}
