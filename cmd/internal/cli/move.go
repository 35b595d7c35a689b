package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/report"
)

func (p *Program) uploadCommand() *cli.Command {
	return &cli.Command{
		Name: "upload", Usage: "fills one server file", ArgsUsage: "SERVERFILE",
		Description: "Sends a file, or what comes on stdin, to a server file of the model. No import is run.\n\n" +
			"   " + name + " upload sales.csv --source data/sales.csv --connection prod\n" +
			"   zcat sales.csv.gz | " + name + " upload sales.csv --source - --connection prod\n\n" +
			"What is uploaded is seen by this user alone, and Anaplan forgets it 48 hours after its last use: an import\n" +
			"that is run later reads the file's default, without a word. If an upload fails the server file's content\n" +
			"is undefined: upload again before anything reads it. A job file, or exec, does both in one go.",
		Flags: flags([]cli.Flag{
			&cli.StringFlag{Name: "source", Aliases: []string{"s"}, Usage: "`FILE` or URL to upload; - is stdin", Category: "Data:", TakesFile: true},
		}, uploadFlags(), placeFlags(), loginFlags(), outputFlags(), logFlags()),
		Action: p.upload,
	}
}

func (p *Program) downloadCommand() *cli.Command {
	return &cli.Command{
		Name: "download", Usage: "fetches one server file", ArgsUsage: "SERVERFILE",
		Description: "Fetches what a server file holds: what this user uploaded, or an export's last output. No export is run.\n\n" +
			"   " + name + " download \"Forecast Output\" --target out/forecast.csv --connection prod\n" +
			"   " + name + " download \"Forecast Output\" --target - --connection prod | head\n\n" +
			"A target file is complete and in place, or not touched. What goes to stdout goes there as it comes: only\n" +
			"exit code 0 says that it was all.",
		Flags: flags([]cli.Flag{
			&cli.StringFlag{Name: "target", Aliases: []string{"t"}, Usage: "`FILE` or URL to write, compressed if it ends in .gz, .zst or .zip; - is stdout", Category: "Data:", TakesFile: true},
			parallelFlag(), memoryFlag(),
		}, placeFlags(), loginFlags(), outputFlags(), logFlags()),
		Action: p.download,
	}
}

// patience is how long upload and download wait for a model that works.
const patience = 2 * time.Hour

// moved is the result of upload and download.
type moved struct {
	Schema  int              `json:"schema"`
	Verb    configs.Verb     `json:"verb"`
	Verdict ledger.Verdict   `json:"verdict"`
	File    ledger.ObjectRef `json:"file"`
	Model   ledger.ModelRef  `json:"model"`
	Path    string           `json:"path"`
	Bytes   int64            `json:"bytes"`
	Wire    int64            `json:"wire_bytes"` // that went over the line: compressed, repeats included
	Chunks  int              `json:"chunks"`
	Digest  string           `json:"digest"` // XXH3 128, hex: to notice change
	Seconds float64          `json:"seconds"`
	Rate    *int64           `json:"bytes_per_s"` // of the file, as an average
}

// moved takes in what was moved.
func (m *moved) moved(bytes, wire int64, chunks int, digest string, took time.Duration) {
	m.Bytes, m.Wire, m.Chunks, m.Digest, m.Seconds = bytes, wire, chunks, digest, took.Seconds()
	m.Rate = report.Rate(bytes, took)
}

func (m moved) text(w io.Writer) error {
	said := "uploaded %s to server file %q (%s): %d bytes, %s%s\n"
	if m.Verb == configs.Download {
		said = "downloaded to %s from server file %q (%s): %d bytes, %s%s\n"
	}
	rate := ""
	if m.Rate != nil {
		took := time.Duration(m.Seconds * float64(time.Second)).Round(time.Millisecond)
		rate = fmt.Sprintf(", in %s, %s/s", took, transfer.Size(*m.Rate))
	}
	_, err := fmt.Fprintf(w, said, m.Path, printable(m.File.Name), m.File.ID, m.Bytes, plural(m.Chunks, "chunk"), rate)
	return err
}

func (p *Program) upload(c *cli.Context) error {
	p.startLog(c)
	args, err := arguments(c, "SERVERFILE")
	if err != nil {
		return err
	}
	path := c.String("source")
	if path == "" {
		return usage("write --source FILE, or --source - for stdin", "no --source is given")
	}
	u, err := uploadOf(c)
	if err != nil {
		return err
	}
	var source io.ReadCloser
	var size int64
	if away := p.away(path); !away {
		if source, size, err = p.source(path); err != nil {
			return err
		}
		defer source.Close()
	}
	return p.move(c, configs.Upload, args[0], data.Display(path), func(ctx context.Context, t *jobs.Tenant, m *moved) error {
		if strings.HasPrefix(m.File.ID, anaplan.KindExport.Prefix()) {
			return &failure{code: ledger.CodeConfig, cause: ledger.CauseConfig, what: fmt.Sprintf("server file %q (%s) is the output of an export", m.File.Name, m.File.ID),
				next: "name the file of an import: its id begins with 113; see " + name + " list imports"}
		}
		if source == nil {
			file, err := p.bring(ctx, path)
			if err != nil {
				return err
			}
			defer file.Close()
			local, _ := file.Plain()
			if source, size, err = p.source(local); err != nil {
				return err
			}
			defer source.Close()
		}
		u.Model, u.File, u.Source, u.Size = modelOf(m.Model), m.File.ID, source, size
		if f, ok := source.(io.ReaderAt); ok && size >= 0 {
			u.At = f
		}
		u.Line, u.Patient, u.Progress = t.Line, transfer.WhileBusy(t.Client, u.Model, patience), p.progress(c, m.Verb, m.File.Name)
		up, err := transfer.Send(ctx, t.Client, u)
		m.moved(up.Bytes, up.Wire, up.Chunks, up.Digest, up.Took)
		return err
	})
}

// away says whether a source has to be looked for: a URL, or a pattern that is no file.
func (p *Program) away(path string) bool {
	if data.Remote(path) {
		return true
	}
	_, err := os.Stat(path)
	return err != nil && strings.ContainsAny(path, "*?[")
}

// bring brings a source here, as it is.
func (p *Program) bring(ctx context.Context, path string) (*data.File, error) {
	found, err := p.stores().Find(ctx, data.Source{Name: path})
	if err != nil {
		return nil, err
	}
	return p.stores().Fetch(ctx, found, os.TempDir(), data.Format{Opaque: true})
}

// source opens what is uploaded. A negative size is unknown.
func (p *Program) source(path string) (io.ReadCloser, int64, error) {
	if path == "-" {
		return io.NopCloser(p.In), -1, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, errors.Join(err, f.Close())
	case info.IsDir():
		_ = f.Close()
		return nil, 0, &failure{code: ledger.CodeInput, cause: ledger.CauseInput, what: path + " is a folder", next: "name a file"}
	case !info.Mode().IsRegular():
		return f, -1, nil // a named pipe, say
	}
	return f, info.Size(), nil
}

func (p *Program) download(c *cli.Context) error {
	p.startLog(c)
	args, err := arguments(c, "SERVERFILE")
	if err != nil {
		return err
	}
	path := c.String("target")
	switch {
	case path == "":
		return usage("write --target FILE, or --target - for stdout", "no --target is given")
	case path == "-" && c.String("output") == "json":
		return usage("write --result-file FILE for the result", "--target - and --output json both want stdout")
	}
	d := transfer.Download{}
	if d.Parallel, err = parallelOf(c); err != nil {
		return err
	}
	if d.Memory, err = memoryOf(c); err != nil {
		return err
	}
	return p.move(c, configs.Download, args[0], data.Display(path), func(ctx context.Context, t *jobs.Tenant, m *moved) error {
		d.Model, d.File, d.Line, d.Retry, d.Progress = modelOf(m.Model), m.File.ID, t.Line, t.Retry, p.progress(c, m.Verb, m.File.Name)
		d.Patient = transfer.WhileBusy(t.Client, d.Model, patience)
		receive := func(w io.Writer) error {
			d.Writer = w
			down, err := transfer.Receive(ctx, t.Client, d)
			m.moved(down.Bytes, down.Wire, down.Chunks, down.Digest, down.Took)
			return err
		}
		if path == "-" {
			return receive(p.plainOut)
		}
		to, err := p.stores().Deliver(ctx, []data.Target{{Name: path}}, data.Format{Opaque: true}, data.Checks{})
		if err != nil {
			return err
		}
		if err := receive(to); err != nil {
			return errors.Join(err, to.Abort())
		}
		if _, err := to.Finish(ctx); err != nil {
			return errors.Join(err, to.Abort())
		}
		_, err = to.Commit(ctx)
		return err
	})
}

// move logs in, finds the server file, lets do move its bytes, and writes the result.
func (p *Program) move(c *cli.Context, verb configs.Verb, file, path string, do func(context.Context, *jobs.Tenant, *moved) error) error {
	conn, err := p.login(c)
	if err != nil {
		return err
	}
	return p.interruptible(c, func(ctx context.Context) error {
		t := p.tenantsAt(conn)
		defer t.Close()
		one, err := t.tenant("")
		if err != nil {
			return err
		}
		m := moved{Schema: 1, Verb: verb, Verdict: ledger.OK, Path: path}
		if m.Model, err = p.locate(ctx, c, conn, t); err != nil {
			return err
		}
		if m.File, err = locateFile(ctx, t, m.Model, verb, file); err != nil {
			return err
		}
		if err := do(ctx, &one.Tenant, &m); err != nil {
			return fmt.Errorf("%s %q (%s): %w", verb, m.File.Name, m.File.ID, err)
		}
		if verb == configs.Download && path == "-" {
			return p.finish(c, ledger.CodeOK, m, func(io.Writer) error { return m.text(p.Err) })
		}
		return p.finish(c, ledger.CodeOK, m, m.text)
	})
}

// locateFile finds a server file, for a download also by the name of the export whose
// output it is.
func locateFile(ctx context.Context, t *tenants, m ledger.ModelRef, verb configs.Verb, file string) (ledger.ObjectRef, error) {
	found, err := jobs.LocateObject(ctx, t.Connect, m, verb, configs.Ref{Name: file})
	if err != nil && verb == configs.Download && problemsOf(err) != nil {
		if export, exportErr := jobs.LocateObject(ctx, t.Connect, m, configs.Export, configs.Ref{Name: file}); exportErr == nil {
			return export, nil
		}
	}
	return found, err
}

func modelOf(m ledger.ModelRef) anaplan.ModelRef {
	return anaplan.ModelRef{Workspace: m.Workspace, Model: m.ID}
}

// progress tells how far a transfer is: as a bar on a terminal, else in a line now and then.
func (p *Program) progress(c *cli.Context, verb configs.Verb, file string) func(transfer.Moved) {
	phase := jobs.PhaseUpload
	if verb == configs.Download {
		phase = jobs.PhaseDownload
	}
	if show := p.watch(c); show != nil {
		return func(m transfer.Moved) { show(jobs.Moving(file, phase, file, m)) }
	}
	return jobs.MovingLines(p.log, phase, file)
}
