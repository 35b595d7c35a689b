package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/sqlite"
)

// The demo's tokens live so short, and its tasks take so long, that one is renewed on the
// way: by the first request in the last seventh of its life, so tasks are polled often.
const (
	demoSpeed     = 0.75
	demoPolls     = 25
	demoTokenLife = 10500 * time.Millisecond
)

func (p *Program) demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "runs a whole sample night against a simulated Anaplan",
		Description: "Needs nothing: no tenant, no login, no network. It writes a job file, connections, a certificate and the\n" +
			"data of a sample company into a folder, starts a simulated Anaplan on this machine, and runs the job.\n" +
			"An import rejects some rows, within what the job accepts, and a token is renewed on the way. The record\n" +
			"is kept in the same folder; no ledger of yours is touched.",
		Flags: flags([]cli.Flag{
			&cli.StringFlag{Name: "dir", Value: "anaplan-runner-demo", Usage: "write everything into the folder `DIR`", Category: "Demo:"},
		}, outputFlags(), logFlags()),
		Action: p.doDemo,
	}
}

func (p *Program) doDemo(c *cli.Context) error {
	p.startLog(c)
	if _, err := arguments(c); err != nil {
		return err
	}
	dir := c.String("dir")
	sim := simulator.New(sample.Company(), simulator.Options{Speed: demoSpeed, TokenLife: demoTokenLife,
		Switches: &simulator.Switches{PollEvery: -1}})
	defer sim.Close()
	server, url, err := serveLocal(sim)
	if err != nil {
		return err
	}
	defer server.Close()
	if _, err := writeSample(dir, url, nil, p.Now()); err != nil {
		return noFolder(err)
	}
	book, err := p.demoBook(c.Context, dir)
	if err != nil {
		return err
	}
	defer book.Close()
	// Nothing of the caller's environment changes the demo.
	p.Getenv = demoEnv(p.Getenv)
	t, err := p.tonight(c, filepath.Join(dir, "nightly.toml"))
	if err != nil {
		return err
	}
	tenants := p.tenantsOf(t.connection)
	tenants.unending = true
	err = p.perform(c, t, tenants, book, filepath.Join(dir, "report.html"))
	if code, ok := errors.AsType[exitCode](err); err != nil && !ok || ok && int(code) != ledger.CodeOK {
		return err
	}
	if c.String("output") != "json" {
		p.afterDemo(dir, tenants.renewals())
	}
	return nil
}

// noFolder is an error of a folder that cannot be written, with the way to name another.
func noFolder(err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); !ok {
		return err
	}
	return &failure{code: ledger.CodeInput, cause: ledger.CauseInput, what: err.Error(), next: "name a folder that can be written: --dir DIR", err: err}
}

// demoBook is the demo's own ledger.
func (p *Program) demoBook(ctx context.Context, dir string) (*book, error) {
	l, err := sqlite.Open(ctx, filepath.Join(dir, "ledger.db"))
	if err != nil {
		return nil, ledgerFailure(err)
	}
	return &book{l, sqlite.Dir(l.Where()), p.filter, " --ledger " + word(l.Where())}, nil
}

// demoEnv hides the variables of this program, and sets the simulator's speed.
func demoEnv(getenv func(string) (string, bool)) func(string) (string, bool) {
	return func(name string) (string, bool) {
		switch {
		case name == "ANAPLAN_SIMULATOR_SPEED":
			return fmt.Sprint(demoPolls), true
		case strings.HasPrefix(name, "ANAPLAN_"), strings.HasPrefix(name, "AIRFLOW_"):
			return "", false
		}
		return getenv(name)
	}
}

// serveLocal serves a handler on a free port of this machine.
func serveLocal(h http.Handler) (server *http.Server, url string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", &failure{code: ledger.CodeInternal, cause: ledger.CauseInternal, err: err,
			what: fmt.Sprintf("the simulated Anaplan cannot be reached on this machine: %v", err), next: "allow connections to 127.0.0.1"}
	}
	server = &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go server.Serve(listener)
	return server, "http://" + listener.Addr().String(), nil
}

// afterDemo says what there is to look at, and what to try.
func (p *Program) afterDemo(dir string, renewals int) {
	call := name
	if exe, err := os.Executable(); err == nil && strings.Contains(exe, "go-build") {
		call = "go run ./cmd/" + name
	}
	page, job, out := filepath.Join(dir, "report.html"), filepath.Join(dir, "nightly.toml"), filepath.Join(dir, "out")
	width := max(len(page), len(job), len(out))
	fmt.Fprintf(p.Out, `
Tokens renewed on the way: %d (here one lives %s, in Anaplan 35 minutes).

Look at
  %-*s   this night as a page
  %-*s   the job that ran
  %-*s   what was exported

Try
  %s runs --ledger %s
  %s simulate --dir %s      and in another window
  %s run %s
`, renewals, demoTokenLife, width, page, width, job, width, out,
		call, filepath.Join(dir, "ledger.db"), call, dir, call, job)
}
