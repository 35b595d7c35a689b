package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

const simulateDescription = `A small Anaplan on one address, login and API together: imports parse the bytes that were uploaded,
tasks queue and take their time, tokens expire. It holds a sample company, or your own from --data,
and forgets everything at its end. Ctrl-C ends it, with code 0.

   anaplan-runner simulate --dir try                 # then, in another window:
   anaplan-runner list imports --connections try/connections.toml

The first line on stdout says "ready" and the URL (with --output json, an object); a script can wait
for it. Any program that speaks Anaplan's API can log in, by certificate, or by basic login with
` + sample.Email + ` and the password "` + sample.Password + `".

Faults are a script in TOML: which request, how often, and what happens to it.

   [[fault]]
   method = "POST"
   path   = '/imports/\d+/tasks$'     # a regular expression
   nth    = 2                         # the second such request; count = 3: and two more
   status = 502                       # or: delay = "30s", drop = "before" | "after", truncate = true,
   body   = "html"                    # expire_token = true; took_effect = true: after it had its effect

Misuse, what a good client does not do, is warned of as it happens and listed at the end.

A simulator with --speed 60 runs tasks 60 times faster. The runner still polls every 5 s, as Anaplan
wants it, unless it is told by ANAPLAN_SIMULATOR_SPEED=60 in its environment to wait 60 times shorter,
too. That is taken notice of only when its connection leads to this machine.`

func (p *Program) simulateCommand() *cli.Command {
	return &cli.Command{
		Name: "simulate", Usage: "serves a simulated Anaplan, for trying and testing jobs",
		Description: simulateDescription,
		Flags: flags([]cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8080", Usage: "listen on `ADDRESS` with its port; port 0: any that is free", Category: "Simulator:"},
			&cli.StringFlag{Name: "dir", Usage: "fill `DIR` with connections.toml, a certificate and its key, the sample's data and example jobs", Category: "Simulator:", TakesFile: true},
			&cli.BoolFlag{Name: "tls", Usage: "serve https, with an authority made for it, whose certificate is written to a file; --tls-name and --ca-out mean it, too", Category: "Simulator:"},
			&cli.StringSliceFlag{Name: "tls-name", Usage: "further `NAME` that the https certificate is for, such as api.anaplan.com, for clients whose addresses are fixed; may be repeated", Category: "Simulator:"},
			&cli.StringFlag{Name: "ca-out", Usage: "write that authority's certificate to `FILE`; default: ca.pem in --dir, else a temporary file", Category: "Simulator:", TakesFile: true},
			&cli.DurationFlag{Name: "token-life", Value: 35 * time.Minute, Usage: "`TIME` that a token lives, such as 35s", Category: "Simulator:"},
			&cli.Float64Flag{Name: "speed", Value: 1, Usage: "run tasks `N` times faster", Category: "Simulator:"},
			&cli.StringFlag{Name: "data", Usage: "serve the company of `FILE` (TOML) instead of the sample", Category: "Simulator:", TakesFile: true},
			&cli.BoolFlag{Name: "dump-data", Usage: "print the sample company as an example of that file, and end", Category: "Simulator:"},
			&cli.StringFlag{Name: "faults", Usage: "let happen the faults of `FILE` (TOML)", Category: "Simulator:", TakesFile: true},
			&cli.StringFlag{Name: "registered", Usage: "let only the certificates in `DIR` log in, as those that are uploaded to Anaplan; it is looked at anew with each login", Category: "Simulator:", TakesFile: true},
			&cli.BoolFlag{Name: "strict", Usage: "end with code 1 if there was misuse, or a fault never happened", Category: "Simulator:"},
		}, outputFlags(), logFlags()),
		Action: p.simulate,
	}
}

// announcement is the first line of simulate: where it is, and how to use it.
type announcement struct {
	Schema      int      `json:"schema"`
	Event       string   `json:"event"` // "ready"
	URL         string   `json:"url"`
	APIURL      string   `json:"api_url"`
	AuthURL     string   `json:"auth_url"`
	CA          string   `json:"ca,omitempty"`
	Connections string   `json:"connections,omitempty"`
	Connection  string   `json:"connection,omitempty"`
	Jobs        []string `json:"jobs,omitempty"`
}

func (p *Program) simulate(c *cli.Context) error {
	p.startLog(c)
	if _, err := arguments(c); err != nil {
		return err
	}
	if c.Bool("dump-data") {
		_, err := p.Out.Write(sample.Source())
		return err
	}
	if speed := c.Float64("speed"); !(speed > 0 && speed <= 1e6) || c.Duration("token-life") < time.Second {
		return usage("write --speed 60, --token-life 35s", "--speed has to be above 0 and at most a million, and --token-life at least 1s")
	}
	company, faults, err := simulatorInput(c.String("data"), c.String("faults"))
	if err != nil {
		return err
	}
	if len(company.Users) == 0 {
		return &failure{code: ledger.CodeConfig, cause: ledger.CauseConfig, what: c.String("data") + ": the company has no user",
			next: "add a [[user]] with an email; see simulate --dump-data"}
	}
	ctx, done := p.stoppable(c.Context)
	defer done()
	listener, err := listen(c.String("listen"))
	if err != nil {
		return err
	}
	defer listener.Close()
	ready := announcement{Schema: 1, Event: "ready", URL: "http://" + listener.Addr().String()}
	var authority []byte
	if c.Bool("tls") || c.IsSet("tls-name") || c.IsSet("ca-out") {
		ready.URL = "https://" + listener.Addr().String()
		if listener, authority, err = secure(listener, c.StringSlice("tls-name"), p.Now()); err != nil {
			return err
		}
	}
	ready.APIURL, ready.AuthURL = ready.URL+"/2/0", ready.URL
	forget, err := p.prepare(c, &ready, company, authority)
	if err != nil {
		return err
	}
	defer forget()
	sim := simulator.New(company, simulator.Options{TokenLife: c.Duration("token-life"), Speed: c.Float64("speed"), Faults: faults, Registry: registry(c.String("registered"))})
	if err := p.announce(c, ready); err != nil {
		return err
	}
	watch := &watched{p: p, sim: sim}
	if err := watch.serve(ctx, listener); err != nil {
		return err
	}
	return p.simulated(c, ready.URL, watch)
}

// simulatorInput reads the company and the faults.
func simulatorInput(data, faults string) (company *simulator.Company, script []simulator.Fault, err error) {
	read := func(path string, load func(io.Reader) error) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := load(f); err != nil {
			return &failure{code: ledger.CodeConfig, cause: ledger.CauseConfig, what: fmt.Sprintf("%s: %v", path, err),
				next: "see simulate --dump-data and simulate --help for the format", err: err}
		}
		return nil
	}
	company = sample.Company()
	if data != "" {
		err = read(data, func(r io.Reader) (err error) { company, err = simulator.Load(r); return err })
	}
	if err == nil && faults != "" {
		err = read(faults, func(r io.Reader) (err error) { script, err = simulator.LoadFaults(r); return err })
	}
	return company, script, err
}

// listen takes the address.
func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &failure{code: ledger.CodeTemporary, cause: ledger.CauseNetwork, what: "another program listens on " + address,
			next: "end it, or choose another port, such as --listen 127.0.0.1:0 for any that is free", err: err}
	case err != nil:
		return nil, usage("write --listen 127.0.0.1:8080", "--listen %s: %v", address, err)
	}
	return listener, nil
}

// prepare writes what the caller asked for, and completes the announcement. What it
// returns takes back what is only temporary.
func (p *Program) prepare(c *cli.Context, ready *announcement, company *simulator.Company, authority []byte) (forget func(), err error) {
	forget = func() {}
	if authority != nil {
		ready.CA = c.String("ca-out")
		switch {
		case ready.CA != "":
			err = placeBytes(ready.CA, 0o644, authority)
		case c.String("dir") == "":
			var f *os.File
			if f, err = os.CreateTemp("", "simulator-ca-*.pem"); err != nil {
				return forget, err
			}
			ready.CA = f.Name()
			forget = func() { _ = os.Remove(f.Name()) }
			_, err = f.Write(authority)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			forget()
			return func() {}, err
		}
	}
	dir := c.String("dir")
	if dir == "" {
		return forget, nil
	}
	var files sampleFiles
	if c.String("data") == "" {
		files, err = writeSample(dir, ready.URL, authority, p.Now())
	} else {
		login := simulatorLogin{URL: ready.URL, CA: authority, Email: company.Users[0].Email}
		if len(company.Workspaces) > 0 && len(company.Workspaces[0].Models) > 0 {
			login.Workspace, login.Model = company.Workspaces[0].Name, company.Workspaces[0].Models[0].Name
		}
		files, err = writeLogin(dir, login, p.Now())
	}
	if err != nil {
		forget()
		return func() {}, noFolder(err)
	}
	ready.Connections, ready.Connection, ready.Jobs = files.Connections, simulatorConnection, files.Jobs
	if ready.CA == "" {
		ready.CA = files.CA
	}
	return forget, nil
}

// announce writes the line that says where the simulator is, and how it is used.
func (p *Program) announce(c *cli.Context, ready announcement) error {
	if c.String("output") == "json" {
		return writeJSON(p.Out, ready)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "ready: %s\n", ready.URL)
	if ready.CA != "" {
		fmt.Fprintf(&b, "  its TLS authority is in %s: --ca FILE, or ca = \"FILE\" in the connection; curl --cacert FILE\n", ready.CA)
	}
	if ready.Connections != "" {
		fmt.Fprintf(&b, "  try: %s list imports --connections %s\n", name, quoted(ready.Connections))
		for _, job := range ready.Jobs {
			fmt.Fprintf(&b, "       %s run %s\n", name, quoted(job))
		}
	} else {
		fmt.Fprintf(&b, "  try: %s list models --api-url %s --auth-url %s --user %s --password env:PASSWORD\n", name, ready.URL, ready.URL, sample.Email)
		fmt.Fprintf(&b, "       (--dir DIR writes a connection, a certificate, data and jobs to begin with)\n")
	}
	if speed := c.Float64("speed"); speed != 1 {
		fmt.Fprintf(&b, "  with ANAPLAN_SIMULATOR_SPEED=%g in the environment, jobs wait as much shorter\n", speed)
	}
	b.WriteString("  Ctrl-C ends it\n")
	_, err := io.WriteString(p.Out, b.String())
	return err
}

// quoted is a word as a shell takes it.
func quoted(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@+,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// server is one that serves a handler without HTTP/2, so that a dropped connection is one.
func (p *Program) server(ctx context.Context, h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{Handler: h, Protocols: protocols, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(logLines{p}, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx }}
}
