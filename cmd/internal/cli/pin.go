package cli

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// pin writes the ids that names were found to have into the job file. Whatever it cannot
// write safely it leaves as it is, and says so; everything else in the file stays.
func (p *Program) pin(t *tonight, bound *jobs.Bound, r *checked) error {
	old, err := os.ReadFile(t.job.File)
	if err != nil {
		return err
	}
	text, pinned := pinned(old, pins(t.job, bound), r)
	if pinned == 0 {
		r.ok("nothing to pin: every name that can be pinned has its id")
		return nil
	}
	if _, err := configs.Parse(t.job.File, text); err != nil {
		return fmt.Errorf("pin: the file would not be right afterwards, so it was left as it was: %w", err)
	}
	if err := data.Place(t.job.File, 0o644, func(f *os.File) error { _, err := f.Write(text); return err }); err != nil {
		return fmt.Errorf("pin: %w", err)
	}
	r.ok("pinned %d names in %s", pinned, t.job.File)
	return nil
}

// pinWanted is a key of the file whose name gets an id.
type pinWanted struct {
	key  string // the last part, as it stands in the file
	at   configs.Position
	ref  configs.Ref
	id   string
	what string // for messages
}

// pins lists what can be pinned: of the job, and of each step that stands once in the plan.
func pins(job *configs.Job, bound *jobs.Bound) []pinWanted {
	var all []pinWanted
	for i, b := range bound.Steps {
		s := bound.Plan.Steps[i]
		if b.Model.ID == "" {
			continue
		}
		if s.Workspace.Zero() {
			all = append(all, pinWanted{"workspace", job.Positions["anaplan.workspace"], job.Workspace, b.Model.Workspace, "workspace"})
		}
		if s.Model.Zero() {
			all = append(all, pinWanted{"model", job.Positions["anaplan.model"], job.Model, b.Model.ID, "model"})
		}
		if len(s.Each) > 0 {
			continue // one entry of the file, several steps
		}
		step := fmt.Sprintf("step %q: ", s.Name)
		all = append(all,
			pinWanted{"workspace", s.Positions["workspace"], s.Workspace, b.Model.Workspace, step + "workspace"},
			pinWanted{"model", s.Positions["model"], s.Model, b.Model.ID, step + "model"},
			pinWanted{string(s.Verb), s.Positions[string(s.Verb)], s.Object, b.Object.ID, step + string(s.Verb)})
	}
	return all
}

// pinned is the text with the ids, and how many it got.
func pinned(text []byte, wanted []pinWanted, r *checked) ([]byte, int) {
	lines := bytes.SplitAfter(text, []byte("\n"))
	done := map[configs.Position]bool{}
	count := 0
	for _, w := range wanted {
		if w.ref.Zero() || w.ref.ID != "" || w.ref.Name == w.id || done[w.at] {
			continue
		}
		done[w.at] = true
		if w.at.Line < 1 || w.at.Line > len(lines) {
			continue
		}
		line := lines[w.at.Line-1]
		m := regexp.MustCompile(`^(\s*` + regexp.QuoteMeta(w.key) + `\s*=\s*)("(?:[^"\\]|\\.)*"|'[^']*')(.*)$`).FindSubmatch(bytes.TrimRight(line, "\r\n"))
		if m != nil && bytes.IndexAny(m[3], `"'`) == 0 {
			m = nil // a string of several lines
		}
		if m == nil || bytes.Contains(m[2], []byte("${")) {
			r.warn("write { id = "+strconv.Quote(w.id)+", name = … } there yourself", "%s was not pinned: it does not stand alone on its line, or has a ${value}", w.what)
			continue
		}
		end := line[len(bytes.TrimRight(line, "\r\n")):]
		lines[w.at.Line-1] = fmt.Appendf(nil, "%s{ id = %q, name = %s }%s%s", m[1], w.id, m[2], m[3], end)
		count++
	}
	return bytes.Join(lines, nil), count
}
