package configs

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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
		// A run keeps its job as JSON.
		data, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var kept Job
		if err := json.Unmarshal(data, &kept); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(got, &kept, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("%s\n-written +kept\n%s", text, d)
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
	s := Step{Index: i, Name: name, Base: name, Verb: rapid.SampledFrom(Verbs).Draw(t, "verb"),
		Enabled: rapid.Bool().Draw(t, "enabled"), When: rapid.SampledFrom([]When{WhenOK, WhenFailed, WhenAlways}).Draw(t, "when"),
		OnFailure: rapid.SampledFrom(outcomes).Draw(t, "on failure"), OnPartial: Stop,
		Retry: Retry{3, 30 * time.Second}}
	if s.Verb == Command {
		s.Argv = rapid.SliceOfN(free, 1, 3).Draw(t, "command")
	} else {
		s.Object = Ref{Name: free.Draw(t, "object")}
		s.Retry = Retry{rapid.IntRange(1, 100).Draw(t, "tries"), span.Draw(t, "retry")}
		s.Wait = Wait{Busy: maybe(t, span), Locked: maybe(t, span)}
	}
	switch s.Verb {
	case Import:
		s.Source = ptr(randomSource(t, span))
		s.Guard = randomGuard(t, span, true)
		s.Ahead = maybe(t, rapid.Bool())
	case Upload:
		s.Source = ptr(randomSource(t, span))
	case Export, Download:
		s.Targets = randomTargets(t)
		s.Guard = randomGuard(t, span, false)
	case Process:
		for n := range rapid.IntRange(0, 3).Draw(t, "files") {
			f := StepFile{File: Ref{Name: fmt.Sprint(n, free.Draw(t, "file"))}}
			if rapid.Bool().Draw(t, "output") {
				f.Targets, f.Guard = randomTargets(t), randomGuard(t, span, false)
			} else {
				f.Source, f.Guard = randomSource(t, span), randomGuard(t, span, true)
			}
			s.Files = append(s.Files, f)
			s.Prompts = append(s.Prompts, Prompt{fmt.Sprint(n, free.Draw(t, "dimension")), free.Draw(t, "item")})
		}
	}
	if fits("transfer", s.Verb) {
		s.Transfer = Transfer{rapid.Int64Range(leastChunk, mostChunk).Draw(t, "chunk"), rapid.IntRange(1, 32).Draw(t, "connections"),
			rapid.SampledFrom([]string{"auto", "off", "1", "9"}).Draw(t, "gzip")}
	}
	if s.Verb == Import || s.Verb == Process {
		s.Accept = Accept{Failed: maybe(t, limit), Ignored: maybe(t, limit), MinLoaded: maybe(t, count)}
	}
	if fits("timeout", s.Verb) {
		s.Timeout = span.Draw(t, "timeout")
		s.Rerun = rapid.SampledFrom(append(reruns, "")).Draw(t, "rerun")
	}
	if s.Verb.StartsTask() {
		if s.RerunSafe() {
			s.RerunOn = rapid.SliceOfNDistinct(rapid.SampledFrom(failures), 0, 3, rapid.ID).Draw(t, "rerun on")
		}
		s.OnStop = rapid.SampledFrom(onTimeout).Draw(t, "on stop")
		s.SettleWait, s.CancelWait = span.Draw(t, "settle wait"), span.Draw(t, "cancel wait")
	}
	return s
}

// aPath is relative, and names one file.
var aPath = rapid.Map(free, func(s string) string { return "in/" + strings.TrimRight(s, `\`) + ".csv" })

func randomSource(t *rapid.T, span *rapid.Generator[time.Duration]) Source {
	src := Source{Path: aPath.Draw(t, "path")}
	if rapid.Bool().Draw(t, "short") {
		return src
	}
	if src.Pick = rapid.SampledFrom([]Pick{PickOne, PickNewest, PickAll}).Draw(t, "pick"); src.Pick != PickOne {
		src.Path = rapid.SampledFrom([]string{"in/*.csv", "s3://bucket/in/*.gz?region=eu", "in/[ab].zip"}).Draw(t, "pattern")
	}
	src.Encoding = rapid.SampledFrom(append(encodings, "")).Draw(t, "encoding")
	src.Member = rapid.SampledFrom([]string{"", "a b/c.csv"}).Draw(t, "member")
	if rapid.Bool().Draw(t, "wait") {
		src.WaitFor = WaitFor{rapid.SampledFrom([]string{"", "in/ready", "https://host/ready"}).Draw(t, "marker"), span.Draw(t, "limit")}
	}
	src.After = After{rapid.SampledFrom([]string{"", "done/", "s3://bucket/done/"}).Draw(t, "ok"), rapid.SampledFrom([]string{"", `C:\bad\`}).Draw(t, "else")}
	return src
}

func randomTargets(t *rapid.T) []Target {
	var all []Target
	for i := range rapid.IntRange(1, 3).Draw(t, "targets") {
		all = append(all, Target{fmt.Sprint("out/", i, free.Draw(t, "path"), ".zst"), rapid.IntRange(0, 3).Draw(t, "keep"), rapid.SampledFrom([]string{"", "out/done", "gs://b/done"}).Draw(t, "done")})
	}
	return append(all, Target{Path: "azblob://c/a.csv.gz"})
}

func randomGuard(t *rapid.T, span *rapid.Generator[time.Duration], source bool) Guard {
	count := rapid.Int64Range(0, 1<<40)
	g := Guard{MaxRows: maybe(t, count), MinSize: maybe(t, count), CompareLast: maybe(t, rapid.Map(rapid.IntRange(0, 800), func(n int) float64 { return float64(n) / 4 }))}
	switch rapid.IntRange(0, 3).Draw(t, "header") {
	case 1:
		g.Header = ptr(rapid.Bool().Draw(t, "header"))
	case 2:
		g.Names, g.Fields = rapid.SliceOfN(free, 1, 3).Draw(t, "header"), rapid.IntRange(1, 10000).Draw(t, "columns")
	case 3:
		g.Columns = rapid.SliceOfNDistinct(free, 1, 3, rapid.ID).Draw(t, "columns")
	}
	g.Unchanged = rapid.SampledFrom([]string{"", "run", "refuse"}).Draw(t, "unchanged")
	if rapid.Bool().Draw(t, "command") {
		g.Command = &GuardCommand{rapid.SliceOfN(free, 1, 3).Draw(t, "run"), span.Draw(t, "timeout")}
	}
	if !source {
		return g
	}
	if rapid.Bool().Draw(t, "skip") {
		g.Unchanged = "skip"
	}
	if age := maybe(t, span); age != nil {
		g.MaxAge = &Age{Duration: *age}
	} else if days := maybe(t, rapid.IntRange(1, 1000)); days != nil {
		g.MaxAge = &Age{Days: *days}
	}
	if rapid.Bool().Draw(t, "control") {
		g.Control = &Control{Path: aPath.Draw(t, "control"), Rows: rapid.SampledFrom([]string{"", "n"}).Draw(t, "rows")}
		if rapid.Bool().Draw(t, "sums") {
			g.Control.Sums = rapid.MapOfN(free, free, 1, 2).Draw(t, "sums")
		}
	}
	return g
}

// quote writes a text as TOML's basic string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// list writes texts as TOML does.
func list(texts []string) string {
	all := make([]string, len(texts))
	for i, s := range texts {
		all[i] = quote(s)
	}
	return "[" + strings.Join(all, ", ") + "]"
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
		if s.Verb == Command {
			fmt.Fprintf(&b, "command = %s\n", list(s.Argv))
		} else {
			put(string(s.Verb), s.Object.Name)
			put("retry.tries", s.Retry.Tries)
			put("retry.wait", s.Retry.Wait)
		}
		put("enabled", s.Enabled)
		put("when", string(s.When))
		put("on_failure", string(s.OnFailure))
		put("wait.busy", s.Wait.Busy)
		put("wait.locked", s.Wait.Locked)
		put("ahead", s.Ahead)
		if s.Transfer.Gzip != "" {
			put("transfer.chunk_size", s.Transfer.ChunkSize)
			put("transfer.connections", s.Transfer.Connections)
			if _, word := map[string]bool{"auto": true, "off": true}[s.Transfer.Gzip]; word {
				put("transfer.gzip", s.Transfer.Gzip)
			} else {
				fmt.Fprintf(&b, "transfer.gzip = %s\n", s.Transfer.Gzip)
			}
		}
		guardKeys(put, &b, s.Guard)
		put("accept.failed", s.Accept.Failed)
		put("accept.ignored", s.Accept.Ignored)
		put("accept.min_loaded", s.Accept.MinLoaded)
		if s.Source != nil {
			sourceKeys(put, *s.Source)
		}
		targetKeys(&b, s.Targets)
		if s.Timeout > 0 {
			put("timeout", s.Timeout)
		}
		if s.Verb.StartsTask() {
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
			if f.Targets == nil {
				sourceKeys(put, f.Source)
			}
			targetKeys(&b, f.Targets)
			guardKeys(put, &b, f.Guard)
		}
	}
	return b.String()
}

func sourceKeys(put func(string, any), src Source) {
	if src == (Source{Path: src.Path}) {
		put("source", src.Path)
		return
	}
	put("source.path", src.Path)
	for key, v := range map[string]string{"pick": string(src.Pick), "member": src.Member, "encoding": strings.ToUpper(src.Encoding)} {
		if v != "" {
			put("source."+key, v)
		}
	}
	if w := src.WaitFor; w.Path != "" {
		put("source.wait_for.path", w.Path)
		put("source.wait_for.limit", w.Limit)
	} else if w.Limit > 0 {
		put("source.wait_for", w.Limit)
	}
	for key, v := range map[string]string{"ok": src.After.OK, "else": src.After.Else} {
		if v != "" {
			put("source.after."+key, "move:"+v)
		}
	}
}

func targetKeys(b *strings.Builder, targets []Target) {
	var all []string
	for _, t := range targets {
		keys := []string{"path = " + quote(t.Path)}
		if t.Keep > 0 {
			keys = append(keys, fmt.Sprint("keep = ", t.Keep))
		}
		if t.Done != "" {
			keys = append(keys, "done_marker = "+quote(t.Done))
		}
		all = append(all, "{ "+strings.Join(keys, ", ")+" }")
	}
	if all != nil {
		fmt.Fprintf(b, "target = [%s]\n", strings.Join(all, ", "))
	}
}

func guardKeys(put func(string, any), b *strings.Builder, g Guard) {
	put("guard.max_rows", g.MaxRows)
	put("guard.min_size", g.MinSize)
	put("guard.header", g.Header)
	if g.MaxAge != nil && g.MaxAge.Days > 0 {
		put("guard.max_age", fmt.Sprintf("%dbd", g.MaxAge.Days))
	} else if g.MaxAge != nil {
		put("guard.max_age", g.MaxAge.Duration)
	}
	if g.Names != nil {
		fmt.Fprintf(b, "guard.header = %s\nguard.columns = %d\n", list(g.Names), g.Fields)
	}
	if g.Columns != nil {
		fmt.Fprintf(b, "guard.columns = %s\n", list(g.Columns))
	}
	if g.Unchanged != "" {
		put("guard.unchanged", g.Unchanged)
	}
	if g.CompareLast != nil {
		put("guard.compare_last", fmt.Sprintf("%g%%", *g.CompareLast))
	}
	if c := g.Control; c != nil {
		put("guard.control.path", c.Path)
		if c.Rows != "" {
			put("guard.control.rows", c.Rows)
		}
		for _, column := range slices.Sorted(maps.Keys(c.Sums)) {
			put("guard.control.sums."+quote(column), c.Sums[column])
		}
	}
	if c := g.Command; c != nil {
		fmt.Fprintf(b, "guard.command.run = %s\n", list(c.Argv))
		put("guard.command.timeout", c.Timeout)
	}
}
