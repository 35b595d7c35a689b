package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// warnOfCertificate is how long before its end a certificate is warned of.
const warnOfCertificate = 60 * 24 * time.Hour

func (p *Program) checkCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "finds what would go wrong tonight, without side effects", ArgsUsage: "JOB.toml",
		Description: "Reads the job file and the connections, looks at certificates, logs in, finds every name, looks at\n" +
			"every source and its guard, at every target's folder and at the ledger. Nothing is uploaded or\n" +
			"started. The exit code is the one that tonight's run would have.\n\n" +
			"--pin writes the ids that names were found to have beside the names, into the job file: a renamed\n" +
			"object is then still found, and another one of the same name is not taken for it.",
		Flags: flags(jobFlags(), []cli.Flag{
			ledgerFlag(),
			&cli.BoolFlag{Name: "pin", Usage: "write ids beside names into the job file", Category: "Job:"},
			spanFlag("warn", warnOfCertificate, "warn of a certificate that ends within `TIME`", "Login:"),
		}, outputFlags(), logFlags()),
		Action: p.doCheck,
	}
}

// checked is the JSON of `check`.
type checked struct {
	Schema   int            `json:"schema"`
	Job      string         `json:"job"`
	File     string         `json:"file"`
	Verdict  ledger.Verdict `json:"verdict"`
	Cause    ledger.Cause   `json:"cause"`
	ExitCode int            `json:"exit_code"`
	User     string         `json:"user"`
	Findings []finding      `json:"findings"`

	skipped bool // every step would be
}

// finding is one thing that a person should know before tonight.
type finding struct {
	Level string `json:"level"` // error | warning | ok
	What  string `json:"what"`
	Next  string `json:"next,omitempty"`
	code  int
	cause ledger.Cause
}

func (r *checked) ok(format string, args ...any) {
	r.Findings = append(r.Findings, finding{Level: "ok", What: fmt.Sprintf(format, args...)})
}

func (r *checked) warn(next, format string, args ...any) {
	r.Findings = append(r.Findings, finding{Level: "warning", What: fmt.Sprintf(format, args...), Next: next})
}

func (r *checked) fail(err error) {
	f := explain(err)
	if len(f.problems) == 0 {
		r.Findings = append(r.Findings, finding{"error", f.what, f.next, f.code, f.cause})
	}
	for _, line := range f.problems {
		r.Findings = append(r.Findings, finding{"error", line, "", f.code, f.cause})
	}
}

func (p *Program) doCheck(c *cli.Context) error {
	p.startLog(c)
	file, err := jobFile(c)
	if err != nil {
		return err
	}
	t, err := p.tonight(c, file)
	if err != nil {
		return err // there is nothing to look at before the file is right
	}
	p.warn(t)
	r := &checked{Schema: 1, Job: t.job.Name, File: t.job.File, Findings: []finding{}}
	r.ok("%s can be read; steps: %d", t.job.File, len(t.plan.Steps))
	ctx, done := p.stoppable(c.Context)
	defer done()
	bound := p.checkTenant(ctx, c, t, r)
	if bound != nil {
		p.checkFiles(ctx, bound, t.date.Location(), r)
		if c.Bool("pin") {
			if err := p.pin(t, bound, r); err != nil {
				return err
			}
		}
	}
	p.checkLedger(c, t, r)
	if err := ctx.Err(); err != nil {
		return interrupted(ctx, err)
	}
	r.conclude(c.Int("skip-code"))
	return p.finish(c, r.ExitCode, r, r.text)
}

// checkTenant looks at logins and names; nil if a run would not get past them.
func (p *Program) checkTenant(ctx context.Context, c *cli.Context, t *tonight, r *checked) *jobs.Bound {
	tenants := p.tenantsOf(t.connection)
	tenants.asked, tenants.unending = true, true // --warn says when
	defer tenants.Close()
	var names []string
	for _, s := range t.plan.Steps {
		if !s.Skip && s.Verb != configs.Command && !slices.Contains(names, s.Connection) {
			names = append(names, s.Connection)
		}
	}
	failed := false
	for _, name := range names {
		one, err := tenants.tenant(name)
		if err == nil {
			_, err = one.Client.Me(ctx)
			p.checkCertificate(c, one, r)
		}
		if err != nil {
			r.fail(err)
			failed = true
		}
	}
	for _, text := range tenants.certificateWarnings() {
		r.warn("", "%s", text)
	}
	if failed {
		return nil
	}
	bound, err := jobs.Bind(ctx, t.plan, tenants.Connect)
	if err != nil {
		r.fail(err)
		return nil
	}
	for _, w := range bound.Warnings {
		r.warn("", "%s", w)
	}
	var users []string
	for _, b := range bound.Steps { // in the order of the file
		if u := bound.Users[b.Connection].Email; u != "" && !slices.Contains(users, u) {
			users = append(users, u)
		}
	}
	r.User = strings.Join(users, ", ")
	r.skipped = !slices.ContainsFunc(t.plan.Steps, func(s jobs.PlanStep) bool { return !s.Skip })
	switch {
	case r.skipped:
		r.ok("every step would be skipped: there was nothing to log in for")
		return bound
	case len(names) == 0:
		r.ok("no step needs a login")
		return bound
	}
	r.ok("logged in as %s; every name was found", r.User)
	return bound
}

func (p *Program) checkCertificate(c *cli.Context, one *tenant, r *checked) {
	if one.Identity == nil {
		return
	}
	end := one.Identity.Leaf.NotAfter
	if used := one.used.Load(); used != nil {
		end = used.Until
	}
	left := end.Sub(p.Now())
	warn := length(c, "warn")
	if c.Generic("warn") == nil { // a dry run has no such flag
		warn = warnOfCertificate
	}
	if left < warn {
		r.warn("renew it before then; `auth check` shows every certificate", "the certificate of connection %q ends %s, in %d days",
			one.Conn.Name, end.UTC().Format(time.DateOnly), int(math.Floor(left.Hours()/24)))
		return
	}
	r.ok("the certificate of connection %q is valid until %s", one.Conn.Name, end.UTC().Format(time.DateOnly))
}

// checkFiles looks at sources, guards and targets.
func (p *Program) checkFiles(ctx context.Context, bound *jobs.Bound, zone *time.Location, r *checked) {
	stores := p.stores()
	for i, b := range bound.Steps {
		s := bound.Plan.Steps[i]
		name := s.Name
		if s.Verb == configs.Command && !s.Skip {
			if path, err := jobs.FindProgram(bound.Plan.Job.Dir, s.Argv); err != nil {
				r.fail(fmt.Errorf("step %q: command: %w", name, err))
			} else {
				r.ok("step %q: its program is %s", name, path)
			}
		}
		for _, in := range b.Reads {
			if !in.Own() {
				continue
			}
			looked, err := bound.Look(ctx, stores, in, p.Now().In(zone))
			switch {
			case err != nil:
				r.fail(fmt.Errorf("step %q: source: %w", name, err))
				continue
			case looked.Waits:
				r.warn("see that it is there by then", "step %q: %s is not there yet: the run would wait for it for %s", name, in.Shown(), in.WaitFor.Limit)
				continue
			case looked.Read:
				r.ok("step %q: %s has %d rows and goes to server file %q", name, in.Shown(), looked.Facts.Rows, in.File.Name)
			default:
				r.ok("step %q: %s is there and goes to server file %q", name, in.Shown(), in.File.Name)
			}
			if len(looked.Left) > 0 {
				r.ok("step %q: %s: guards that only a run looks at: %s", name, in.Shown(), strings.Join(looked.Left, ", "))
			}
			if c := in.Guard.Command; c != nil {
				if _, err := jobs.FindProgram(bound.Plan.Job.Dir, c.Argv); err != nil {
					r.fail(fmt.Errorf("step %q: guard: command: %w", name, err))
				}
			}
		}
		for _, out := range b.Exports {
			for _, target := range out.Targets {
				p.checkTarget(ctx, stores, name, target, r)
			}
			if c := out.Guard.Command; c != nil && len(out.Targets) > 0 {
				if _, err := jobs.FindProgram(bound.Plan.Job.Dir, c.Argv); err != nil {
					r.fail(fmt.Errorf("step %q: guard: command: %w", name, err))
				}
			}
		}
	}
}

// checkTarget looks at where a target would be written, without writing: a local folder, or
// whether the place can be listed.
func (p *Program) checkTarget(ctx context.Context, stores *data.Stores, step string, target data.Target, r *checked) {
	if data.Remote(target.Name) {
		if _, err := stores.Find(ctx, data.Source{Name: target.Name}); err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.fail(fmt.Errorf("step %q: target: %w", step, err))
		}
		return
	}
	for _, path := range []string{target.Name, target.Done} {
		if path == "" || data.Remote(path) {
			continue
		}
		if err := writableTarget(path); err != nil {
			r.fail(&failure{code: ledger.CodeInput, cause: ledger.CauseInput, err: err,
				what: fmt.Sprintf("step %q: target %s: %v", step, path, err), next: "name a file in a folder that can be written"})
		}
	}
}

// writableTarget says whether a file could be written, without writing it: its folder, or
// the nearest one that is there.
func writableTarget(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return errors.New("it is a folder")
	}
	dir := filepath.Dir(path)
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return fmt.Errorf("%s is not a folder", dir)
		case err == nil:
			return writableDir(dir)
		case !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir:
			return err
		}
		dir = filepath.Dir(dir)
	}
}

// conclude takes the code that a run would have: it ends at its names, else at a source;
// skipCode if every step would be skipped.
func (r *checked) conclude(skipCode int) {
	r.Verdict = ledger.OK
	if r.skipped {
		r.Verdict, r.ExitCode = ledger.Skipped, skipCode
	}
	for _, f := range r.Findings {
		if f.Level == "error" {
			r.Verdict, r.Cause, r.ExitCode = ledger.Failed, f.cause, f.code
			return
		}
	}
}

func (r *checked) text(w io.Writer) error {
	var b strings.Builder
	marks := map[string]string{"ok": "ok      ", "warning": "warning ", "error": "ERROR   "}
	errors, warnings := 0, 0
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s%s\n", marks[f.Level], f.What)
		if f.Next != "" {
			fmt.Fprintf(&b, "        → %s\n", f.Next)
		}
		switch f.Level {
		case "error":
			errors++
		case "warning":
			warnings++
		}
	}
	if errors == 0 {
		fmt.Fprintf(&b, "Job %s would run: nothing is wrong, %d warnings (exit code %d)\n", r.Job, warnings, r.ExitCode)
	} else {
		fmt.Fprintf(&b, "Job %s would not run well: %d errors, %d warnings (exit code %d)\n", r.Job, errors, warnings, r.ExitCode)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
